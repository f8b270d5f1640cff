"""The command line in this process, with training replaced by a function that each test can set."""

from __future__ import annotations

import logging
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

import mtlrun
from mtlrun.cli.main import main
from mtlrun.runs.folder import RunFolder

SUMMARY = {
    "tasks": {
        "left": {
            "metric": "accuracy",
            "higher_is_better": True,
            "best": {"test": {"accuracy": 0.75, "loss": 1.0}, "val": {"accuracy": 0.7, "loss": 1.1}},
            "last": {"test": {"accuracy": 0.75, "loss": 1.0}, "val": {"accuracy": 0.7, "loss": 1.1}},
        }
    },
    "best_epoch": 1,
    "last_epoch": 1,
    "steps": 2,
}


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class FakeTraining(ModuleType):
    """Stands for mtlrun.experiment.train, which loads torch; `behave(config)` may raise."""

    NAME = "mtlrun.experiment.train"

    def __init__(self) -> None:
        super().__init__(self.NAME)
        self.calls: list[tuple[Any, Path, bool]] = []
        self.behave: Callable[[Any], object] = lambda config: None

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setitem(sys.modules, self.NAME, self)
        patch.setattr("mtlrun.experiment.train", self, raising=False)
        patch.setattr("mtlrun.cli.run.gc", SimpleNamespace(collect=lambda: 0))  # 0.1 s a job; it leaves nothing behind

    def train(self, config: Any, folder: RunFolder, resume: bool) -> dict[str, Any]:
        self.calls.append((config, folder.path, resume))
        logging.getLogger("mtlrun.training").info("training")
        self.behave(config)
        return SUMMARY

    def evaluate(self, config: Any, folder: Path, checkpoint: str, split: str) -> dict[str, Any]:
        self.calls.append((config, folder, False))
        return {"left": {checkpoint: 0.125, split: 0.5}}


@pytest.fixture(autouse=True)
def _untouched_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in an empty folder; put logging, signals and the path back afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MTLRUN_CONF_DIR", raising=False)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["mtlrun"])
    root = logging.getLogger()
    handlers, level, handler = root.handlers[:], root.level, signal.getsignal(signal.SIGTERM)
    yield
    for added in set(root.handlers) - set(handlers):
        added.close()
    root.handlers[:], root.level = handlers, level
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    fake = FakeTraining()
    fake.install(monkeypatch)
    return fake


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], training: FakeTraining) -> Callable[..., Outcome]:
    """command("seed=1", "-m") -> exit code, stdout, stderr."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "first"
    with pytest.MonkeyPatch.context() as patch:
        FakeTraining().install(patch)
        mtlrun.run(["task=multidigits", "balancer=gradnorm"], folder)
    return folder


@pytest.fixture
def run_folder(_finished: Path, tmp_path: Path) -> Path:
    """The folder runs/first of a finished run of multidigits with gradnorm."""
    shutil.copytree(_finished, tmp_path / "runs/first")
    return Path("runs/first")
