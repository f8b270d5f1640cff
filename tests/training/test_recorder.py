"""What is handed to a logger at a flush."""

import torch

from mtlrun.gradients.base import Trace
from mtlrun.loggers.base import Logger
from mtlrun.runs.folder import RunFolder
from mtlrun.training.recorder import Recorder


class Noted(Logger):
    def __init__(self):
        self.lines = []

    def log(self, step, values):
        self.lines.append((step, values))

    def close(self):
        """Nothing to do."""


class Silent(Noted):
    keeps_figures = False


def trace(*tasks):
    return Trace(tasks, torch.arange(1.0, len(tasks) + 1), None)


def test_the_logger_gets_each_step_that_was_logged(tmp_path):
    """Tasks vary from step to step, and the last steps have no line."""
    logger = Noted()
    recorder = Recorder(RunFolder(tmp_path), ["a", "b", "c"], 5, 1, logger, 100)
    for step, tasks in [(5, "abc"), (10, "b"), (11, "a")]:
        recorder.add(step, trace(*tasks), dict.fromkeys(tasks, 1), measured=False)
    recorder.flush()
    first = {"batch/a/loss": 1.0, "batch/b/loss": 2.0, "batch/c/loss": 3.0}
    assert logger.lines == [(5, first), (10, {"batch/b/loss": 1.0})]


def test_for_a_logger_that_keeps_no_figures_none_are_put_together(tmp_path):
    logger = Silent()
    recorder = Recorder(RunFolder(tmp_path), ["a"], 1, 0, logger, 100)
    recorder.add(1, trace("a"), {"a": 1}, measured=False)
    recorder.flush()
    assert logger.lines == []
    assert (tmp_path / "tasks.csv").read_text().splitlines()[1:] == ["1,a,1,,,1"]


def test_the_logger_gets_norms_cosines_and_gates_of_measured_steps(tmp_path):
    logger = Noted()
    recorder = Recorder(RunFolder(tmp_path), ["a", "b"], 5, 1, logger, 100)
    measured = Trace(
        ("b", "a"), torch.tensor([1.0, 2.0]), torch.tensor([0.5, 1.5]), gram=torch.tensor([[4.0, -2.0], [-2.0, 1.0]])
    )
    recorder.add(5, measured, {"a": 1, "b": 1}, measured=True)
    recorder.gates.add(5, {"a": torch.tensor([0.25, 0.75])}, ["a"])
    recorder.flush()
    ((step, values),) = logger.lines
    assert step == 5
    assert {name: round(value, 6) for name, value in values.items()} == {
        "batch/b/loss": 1.0,
        "batch/b/weight": 0.5,
        "batch/b/grad_norm": 2.0,
        "batch/a/loss": 2.0,
        "batch/a/weight": 1.5,
        "batch/a/grad_norm": 1.0,
        "cosine/a/b": -1.0,
        "gate/a/all/0": 0.25,
        "gate/a/all/1": 0.75,
    }


def test_a_long_run_writes_fewer_lines_unless_more_are_asked_for(tmp_path):
    def lines(name, log_every, steps, state=None):
        (tmp_path / name).mkdir()
        recorder = Recorder(RunFolder(tmp_path / name), ["a"], log_every, 0, Noted(), 25_000)
        if state is not None:
            recorder.load_state_dict({**recorder.state_dict(), **state})
        for step in range(steps):
            recorder.add(step, trace("a"), {"a": 1}, measured=False)
        recorder.flush()
        rows = (tmp_path / name / "tasks.csv").read_text().splitlines()[1:]
        return [int(row.partition(",")[0]) for row in rows], recorder.state_dict()["log_every"]

    assert lines("few", None, 10) == ([0, 3, 6, 9], 3)
    assert lines("all", 1, 3) == ([0, 1, 2], 1)
    assert lines("goes on as it began", None, 5, {"log_every": 2}) == ([0, 2, 4], 2)
    assert lines("is asked to go on otherwise", 4, 5, {"log_every": 2}) == ([0, 4], 4)
