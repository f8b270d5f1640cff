"""Which epoch is the best one: judged on validation data only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mtlrun.errors import choose
from mtlrun.tasks.base import Task

SMALLEST = 1e-3
"""Floor of a metric that is better when higher, so that one task at zero does not decide everything."""


def overall_score(scores: Mapping[str, Mapping[str, float]], tasks: Mapping[str, Task]) -> float:
    """Geometric mean of the judging metrics, each one inverted where lower is better. Higher is better.

    A relative change counts the same in every task, whatever its unit, as in the relative measures that multi-task
    papers report, and no reference run is needed. A metric that is NaN does not count.
    """
    logs = []
    for name, task in tasks.items():
        value = scores[name][task.judge]
        if math.isnan(value):  # such as the mAP of a split without a box: it says nothing about any epoch
            continue
        logs.append(math.log(max(value, SMALLEST)) if task.higher_is_better() else -math.log(max(value, 1e-12)))
    return math.exp(sum(logs) / len(logs)) if logs else -math.inf


class Selection:
    """Keeps the best score and counts evaluations without a better one.

    Args:
        tasks: by name.
        monitor: 'TASK/METRIC' to go by instead of the overall score; its direction is taken from the metric.
        patience: evaluations without a better score after which training should stop; None for never.
    """

    def __init__(self, tasks: Mapping[str, Task], monitor: str | None = None, patience: int | None = None) -> None:
        self.tasks, self.monitor, self.patience = tasks, monitor, patience
        self.best_score = -math.inf
        self.best_epoch: int | None = None
        self.waited = 0
        self._sign = 1 if monitor is None else _sign(tasks, monitor)

    def score(self, scores: Mapping[str, Mapping[str, float]]) -> float:
        """What epochs are compared by; higher is better."""
        if self.monitor is None:
            return overall_score(scores, self.tasks)
        task, _, metric = self.monitor.partition("/")
        return self._sign * scores[task][metric]

    def update(self, score: float, epoch: int) -> bool:
        """Note the score of an epoch; True if it is the best so far."""
        better = self.best_epoch is None or score > self.best_score
        if better:
            self.best_score, self.best_epoch, self.waited = score, epoch, 0
        else:
            self.waited += 1
        return better

    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self.best_score, "best_epoch": self.best_epoch, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best_score, self.best_epoch, self.waited = (
            state["best_score"],
            state["best_epoch"],
            state["waited"],
        )


def _sign(tasks: Mapping[str, Task], monitor: str) -> int:
    """1 where the monitored metric is better when higher, -1 where lower."""
    task, _, metric = monitor.partition("/")
    if metric == "loss":
        return -1
    return 1 if tasks[choose(task, tasks, "task in trainer.monitor named")].higher_is_better(metric) else -1
