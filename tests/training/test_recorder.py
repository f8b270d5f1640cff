"""What is handed to a logger at a flush."""

import torch

from mtlrun.gradients.base import Trace
from mtlrun.runs.folder import RunFolder
from mtlrun.training.recorder import Recorder


class Noted:
    def __init__(self):
        self.lines = []

    def log(self, step, values):
        self.lines.append((step, values))


def trace(*tasks):
    return Trace(tasks, torch.arange(1.0, len(tasks) + 1), None)


def test_the_logger_gets_the_last_step_that_was_logged(tmp_path):
    """Tasks vary from step to step, and the last steps have no line."""
    logger = Noted()
    recorder = Recorder(RunFolder(tmp_path), ["a", "b", "c"], 5, 1, logger)
    for step, tasks in [(5, "abc"), (6, "a")]:
        recorder.add(step, trace(*tasks), dict.fromkeys(tasks, 1), measured=False)
    recorder.flush()
    assert logger.lines == [(5, {"train/a/loss": 1.0, "train/b/loss": 2.0, "train/c/loss": 3.0})]
