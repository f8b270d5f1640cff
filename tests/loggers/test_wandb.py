"""Against the real package where it is installed, offline; against a stand-in elsewhere."""

import base64
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from wandb_file import WandbFile

from mtlrun.errors import ConfigError
from mtlrun.loggers.wandb import ID_FILE, Wandb
from mtlrun.runs.sweeps import RECORD

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""One pixel."""


class Recorder:
    """Stands in for the package: keeps what it is asked to do."""

    Error = type("Error", (Exception,), {})

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal
        self.started: list[dict[str, Any]] = []
        self.logged: list[dict[str, float]] = []
        self.codes: list[int | None] = []

    def Settings(self, init_timeout: int) -> int:
        return init_timeout

    def init(self, **arguments: Any) -> SimpleNamespace:
        if self.refusal:
            raise self.Error(self.refusal)
        self.started.append(arguments)
        return SimpleNamespace(
            log=self.logged.append,
            finish=lambda exit_code=None: self.codes.append(exit_code),
            define_metric=lambda name, step_metric: None,
            summary={},
        )


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    stand_in = Recorder()
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    return stand_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    job = tmp_path / "sweep" / "3"
    job.mkdir(parents=True)
    (job.parent / RECORD).touch()
    return job


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_SILENT", "true")


def test_options_reach_wandb(folder: Path, recorder: Recorder) -> None:
    logger = Wandb(folder, {"seed": 1}, project="p", entity="team", mode="offline", name="first")
    logger.log(5, {"val/lane/iou": 0.5})
    logger.close()
    started = recorder.started[0]
    expected = {"dir": folder, "config": {"seed": 1}, "project": "p", "entity": "team", "mode": "offline"}
    assert expected.items() <= started.items()
    assert (started["name"], started["group"], started["resume"]) == ("first", "sweep", None)
    assert started["job_type"] == "train"
    assert recorder.logged == [{"val/lane/iou": 0.5, "step": 5}]


VARIABLES = {
    "WANDB_PROJECT": "project",
    "WANDB_NAME": "name",
    "WANDB_RUN_GROUP": "group",
    "WANDB_JOB_TYPE": "job_type",
    "WANDB_MODE": "mode",
    "WANDB_ENTITY": "entity",
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_null_leaves_the_choice_to_wandbs_variable(
    variable: str, folder: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "theirs")
    Wandb(folder, {})
    Wandb(folder.parent, {}, **{VARIABLES[variable]: "offline"})
    assert [started[VARIABLES[variable]] for started in recorder.started] == [None, "offline"]


def test_a_run_of_its_own_has_no_group(tmp_path: Path, recorder: Recorder) -> None:
    Wandb(tmp_path, {})
    assert (recorder.started[0]["group"], recorder.started[0]["project"]) == (None, "mtlrun")


def test_resumed_run_goes_on_under_its_id(folder: Path, recorder: Recorder) -> None:
    Wandb(folder, {}).end("interrupted", "stopped by SIGTERM")
    Wandb(folder, {}).end("failed", "other data: refused before the first figure")
    resumed = Wandb(folder, {})
    resumed.log(1, {"loss": 1.0})
    resumed.end("finished", None)
    first, second = recorder.started
    assert first["id"] == second["id"]
    assert (first["name"], second["resume"]) == ("3", "allow")
    assert recorder.codes == [130, 0]


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
    assert str(caught.value) == (
        "logger=wandb: No API key configured: run `wandb login`, or set logger.wandb.mode=offline or WANDB_MODE=offline"
    )


def test_unknown_mode(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"no logger\.wandb\.mode 'ofline'; did you mean 'offline'"):
        Wandb(folder, {}, mode="ofline")


def test_the_real_package_offline(folder: Path) -> None:
    wandb = pytest.importorskip("wandb", reason="the extra 'wandb' is not installed")
    (folder / "cosines.png").write_bytes(PNG)
    (folder / "best.pt").write_bytes(b"content")
    logger = Wandb(folder, {"trainer": {"epochs": 1}}, mode="offline", artifact="best")
    for step, value in ((10, 0.5), (20, 0.25), (5, 0.75)):  # the best epoch is tested last
        logger.log(step, {"test/lane/iou": value})
    logger.picture(20, "plots/cosines", folder / "cosines.png")
    logger.summarise({"best/test/lane/iou": 0.75, "last/test/lane/iou": 0.25})
    logger.checkpoints(folder)
    logger.end("failed", "NonFiniteError: the loss is not finite")
    logger.close()
    wandb.teardown()  # its own process has written everything
    run_id = (folder / ID_FILE).read_text().strip()
    (path,) = (folder / "wandb").glob(f"offline-run-*/run-{run_id}.wandb")
    file = WandbFile(path)
    assert (file.run.project, file.run.run_group, file.run.job_type) == ("mtlrun", "sweep", "train")
    assert file.config["trainer"] == {"epochs": 1}
    assert file.history("test/lane/iou") == [(10, 0.5), (20, 0.25), (5, 0.75)]
    assert any("plots/cosines" in name for name in file.summary)
    assert file.summary["test/lane/iou"] == 0.75
    assert (file.summary["status"], file.summary["reason"]) == ("failed", "NonFiniteError: the loss is not finite")
    assert [kind for kind, _ in file.artifacts] == ["model"]
    assert file.exit_code == 1
