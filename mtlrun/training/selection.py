"""Which epoch is the best one, judged on validation data only; and the test scores, by which nothing is chosen."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mtlrun.data.source import Source
from mtlrun.errors import choose
from mtlrun.runs.overall import overall
from mtlrun.tasks.base import Task
from mtlrun.training.evaluate import Evaluator, Scores
from mtlrun.training.recorder import MetricsTable

_MOST_NAMED = 8  # tasks in a line


def overall_score(scores: Mapping[str, Mapping[str, float]], tasks: Mapping[str, Task]) -> float:
    """The judging metrics of all tasks in one number, see `overall`; -inf where none of them says anything."""
    found = overall((scores[name][task.judge], task.higher_is_better()) for name, task in tasks.items())
    return -math.inf if found is None else found


class Selection:
    """Keeps the best score, counts evaluations without a better one, and keeps the scores of the best and the last.

    Scores are compared over the same tasks: an epoch in which more tasks have one is better, whatever it is, and one in
    which fewer have is not. So NaN never stays the best where a number follows.

    Args:
        tasks: by name.
        monitor: 'TASK/METRIC' to go by instead of the overall score; its direction is taken from the metric.
        patience: evaluations without a better score after which training should stop; None for never.
    """

    def __init__(self, tasks: Mapping[str, Task], monitor: str | None = None, patience: int | None = None) -> None:
        self.tasks, self.monitor, self.patience = tasks, monitor, patience
        self.best_score = -math.inf
        self.best_epoch: int | None = None
        self.best_defined = 0
        self.waited = 0
        self.validation: dict[str, Scores] = {}  # 'best' and 'last'
        self._sign = 1 if monitor is None else _sign(tasks, monitor)

    def meaning(self) -> str:
        """What `score` in an epoch's line is, in words."""
        if self.monitor is not None:
            return f"score: {self.monitor} on validation rows" + (", negative since lower is better" * (self._sign < 0))
        judges = [(f"{name} {task.judge}", task.higher_is_better()) for name, task in self.tasks.items()]
        words = [metric if higher else f"1 / {metric}" for metric, higher in judges]
        listed = ", ".join(words) if len(words) <= _MOST_NAMED else f"the judging metrics of {len(words)} tasks"
        return f"score: {'geometric mean of ' * (len(words) > 1)}{listed} on validation rows; higher is better"

    def score(self, scores: Mapping[str, Mapping[str, float]]) -> float:
        """What epochs are compared by; higher is better."""
        if self.monitor is None:
            return overall_score(scores, self.tasks)
        task, _, metric = self.monitor.partition("/")
        return self._sign * scores[task][metric]

    def defined(self, scores: Scores) -> int:
        """Number of tasks that the score is made of; 0 where it says nothing."""
        if self.monitor is not None:
            return int(not math.isnan(self.score(scores)))
        return sum(not math.isnan(scores[name][task.judge]) for name, task in self.tasks.items())

    def update(self, scores: Scores, epoch: int) -> bool:
        """Note the validation scores of an epoch; True if it is the best so far."""
        score, defined = self.score(scores), self.defined(scores)
        better = defined > self.best_defined or (defined == self.best_defined and score > self.best_score)
        better = better or self.best_epoch is None
        self.validation["last"] = scores
        if better:
            self.best_score, self.best_defined, self.best_epoch, self.waited = score, defined, epoch, 0
            self.validation["best"] = scores
        else:
            self.waited += 1
        return better

    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        best = {"best_score": self.best_score, "best_epoch": self.best_epoch, "best_defined": self.best_defined}
        return {**best, "waited": self.waited, "validation": dict(self.validation)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best_score, self.best_epoch = state["best_score"], state["best_epoch"]
        self.best_defined, self.waited = state["best_defined"], state["waited"]
        self.validation = dict(state["validation"])


class TestScores:
    """Scores on the test rows by step, each measured and written once.

    Args:
        evaluator: measures them.
        sources: of the test split.
        metrics: where they are written.
        late: the last steps of the epochs over which scores are averaged, where papers do so.
    """

    def __init__(
        self, evaluator: Evaluator, sources: Sequence[Source], metrics: MetricsTable, late: Collection[int]
    ) -> None:
        self._evaluator, self._sources, self._metrics, self._late = evaluator, sources, metrics, late
        self._by_step: dict[int, Scores] = {}

    def at(self, epoch: int, step: int) -> Scores:
        """Of the network, which must be that of this epoch and step."""
        if step not in self._by_step:
            self._by_step[step] = self._evaluator.evaluate(self._sources)
            self._metrics.write(epoch, step, "test", self._by_step[step])
        return self._by_step[step]

    def after_epoch(self, epoch: int, step: int) -> None:
        """Test the network if it is one of several whose scores are averaged."""
        if step in self._late:
            self.at(epoch, step)

    def late(self) -> list[Scores]:
        """Those that are averaged, as far as the run has come."""
        return [scores for step, scores in self._by_step.items() if step in self._late]

    def state_dict(self) -> dict[str, Any]:
        return {"by_step": dict(self._by_step)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._by_step = dict(state["by_step"])


def _sign(tasks: Mapping[str, Task], monitor: str) -> int:
    """1 where the monitored metric is better when higher, -1 where lower."""
    task, _, metric = monitor.partition("/")
    if metric == "loss":
        return -1
    return 1 if tasks[choose(task, tasks, "task in trainer.monitor named")].higher_is_better(metric) else -1
