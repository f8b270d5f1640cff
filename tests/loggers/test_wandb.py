"""Against the real package where it is installed, offline; against a stand-in elsewhere."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtlrun.errors import ConfigError
from mtlrun.loggers.wandb import Wandb


class Recorder:
    """Stands in for the package: keeps what it is asked to do."""

    Error = type("Error", (Exception,), {})

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal
        self.started: list[dict[str, Any]] = []
        self.logged: list[tuple[int, dict[str, float]]] = []

    def Settings(self, init_timeout: int) -> int:
        return init_timeout

    def init(self, **arguments: Any) -> SimpleNamespace:
        if self.refusal:
            raise self.Error(self.refusal)
        self.started.append(arguments)
        return SimpleNamespace(log=lambda values, step: self.logged.append((step, values)), finish=lambda: None)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    stand_in = Recorder()
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    return stand_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    job = tmp_path / "sweep" / "3"
    job.mkdir(parents=True)
    return job


def test_options_reach_wandb(folder: Path, recorder: Recorder) -> None:
    logger = Wandb(folder, {"seed": 1}, project="p", entity="team", mode="offline", name="first")
    logger.log(5, {"val/lane/iou": 0.5})
    logger.close()
    started = recorder.started[0]
    expected = {"dir": folder, "config": {"seed": 1}, "project": "p", "entity": "team", "mode": "offline"}
    assert expected.items() <= started.items()
    assert (started["name"], started["group"], started["resume"]) == ("first", "sweep", None)
    assert recorder.logged == [(5, {"val/lane/iou": 0.5})]


def test_resumed_run_goes_on_under_its_id(folder: Path, recorder: Recorder) -> None:
    Wandb(folder, {}).close()
    Wandb(folder, {}).close()
    first, second = recorder.started
    assert first["id"] == second["id"]
    assert (first["name"], second["resume"]) == ("3", "allow")


def test_jobs_have_their_own_ids(folder: Path, recorder: Recorder) -> None:
    other = folder.parent / "4"
    other.mkdir()
    for job in (folder, other):
        Wandb(job, {}).close()
    assert recorder.started[0]["id"] != recorder.started[1]["id"]


def test_refusal_is_one_line(folder: Path, recorder: Recorder) -> None:
    recorder.refusal = "No API key configured.\nMore words."
    with pytest.raises(ConfigError) as caught:
        Wandb(folder, {})
    assert str(caught.value) == ("logger=wandb: No API key configured: run `wandb login`, or set logger.mode=offline")


def test_unknown_mode(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"no logger\.mode of wandb 'ofline'; did you mean 'offline'"):
        Wandb(folder, {}, mode="ofline")


def test_real_package_offline(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra 'wandb' is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for steps in ([1, 2], [2, 3]):
        logger = Wandb(folder, {"trainer": {"epochs": 1}}, mode="offline")
        for step in steps:
            logger.log(step, {"val/lane/iou": 0.5})
        logger.close()
        logger.close()
    run_id = (folder / "wandb_id.txt").read_text().strip()
    assert [*(folder / "wandb").glob(f"offline-run-*/run-{run_id}.wandb")]
