"""What makes one epoch better than another: a single number of its scores, higher is better."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from statistics import fmean

from mtlrun.errors import ConfigError, choose
from mtlrun.runs.overall import overall
from mtlrun.tasks.base import Task
from mtlrun.training.evaluate import Scores
from mtlrun.training.settings import Select

_MOST_NAMED = 8  # tasks in a line

Reference = Mapping[str, Mapping[str, float]]
"""task -> metric -> the value that gains are measured against."""


def overall_score(scores: Mapping[str, Mapping[str, float]], tasks: Mapping[str, Task]) -> float:
    """The judging metrics of all tasks in one number, see `overall`; -inf where none of them says anything."""
    found = overall((scores[name][task.judge], task.higher_is_better()) for name, task in tasks.items())
    return -math.inf if found is None else found


class EpochScore(ABC):
    """Compares epochs of one split."""

    @abstractmethod
    def value(self, scores: Scores) -> float:
        """Higher is better; -inf or NaN where nothing is known."""

    @abstractmethod
    def defined(self, scores: Scores) -> int:
        """Number of tasks that the value is made of; 0 where it says nothing."""

    @abstractmethod
    def meaning(self) -> str:
        """What it is, in a few words."""


class GeometricMean(EpochScore):
    """`overall_score`."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self.tasks = tasks

    def value(self, scores: Scores) -> float:
        return overall_score(scores, self.tasks)

    def defined(self, scores: Scores) -> int:
        return sum(not math.isnan(scores[name][task.judge]) for name, task in self.tasks.items())

    def meaning(self) -> str:
        judges = [(f"{name} {task.judge}", task.higher_is_better()) for name, task in self.tasks.items()]
        words = [metric if higher else f"1 / {metric}" for metric, higher in judges]
        listed = ", ".join(words) if len(words) <= _MOST_NAMED else f"the judging metrics of {len(words)} tasks"
        return f"{'geometric mean of ' * (len(words) > 1)}{listed} on validation rows; higher is better"


class ArithmeticMean(GeometricMean):
    """Mean of the judging metrics, with a minus where lower is better in all of them.

    Raises:
        ConfigError: if some are better when higher and others when lower: their mean says nothing.
    """

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        super().__init__(tasks)
        directions = {task.higher_is_better() for task in tasks.values()}
        if len(directions) > 1:
            raise ConfigError(
                "trainer.select=arithmetic: some tasks' judging metrics are better when higher, others when lower; "
                "choose geometric, delta_m or delta_p"
            )
        self._sign = 1 if True in directions else -1

    def value(self, scores: Scores) -> float:
        values = [scores[name][task.judge] for name, task in self.tasks.items()]
        known = [value for value in values if not math.isnan(value)]
        return self._sign * fmean(known) if known else -math.inf

    def meaning(self) -> str:
        mean = "arithmetic mean of the tasks' judging metrics on validation rows"
        return f"{mean}; higher is better" if self._sign > 0 else f"{mean}, negative since lower is better"


class Monitored(EpochScore):
    """One metric of one task, with a minus where lower is better.

    Args:
        tasks: by name.
        monitor: 'TASK/METRIC'.
    """

    def __init__(self, tasks: Mapping[str, Task], monitor: str) -> None:
        self._task, _, self._metric = monitor.partition("/")
        task = tasks[choose(self._task, tasks, "task in trainer.monitor named")]
        self._sign = 1 if _higher(task, self._metric) else -1

    def value(self, scores: Scores) -> float:
        return self._sign * scores[self._task][self._metric]

    def defined(self, scores: Scores) -> int:
        return int(not math.isnan(scores[self._task][self._metric]))

    def meaning(self) -> str:
        named = f"{self._task}/{self._metric} on validation rows"
        return f"{named}, negative since lower is better" if self._sign < 0 else named


class RelativeGain(EpochScore):
    """Mean gain in % over a reference; minus Delta-m, or Delta-p.

    A gain of a metric is 100 (M - S) / |S|, with a minus where lower is better. Delta-m as Navon et al. (2022,
    arXiv:2202.01017) average it counts all metrics of the reference alike; Delta-p of LibMTL (Lin & Zhang, JMLR 2023)
    averages each task's metrics first. A metric that is NaN does not count.

    Args:
        tasks: by name.
        reference: the values S of each task; None for those of each metric that are seen first.
        by_task: average each task's metrics first.
    """

    def __init__(self, tasks: Mapping[str, Task], reference: Reference | None, by_task: bool) -> None:
        self.tasks, self.reference, self._by_task = tasks, reference, by_task
        self._is_given = reference is not None

    def value(self, scores: Scores) -> float:
        self.reference = self._completed(scores)
        found = [self._gains(name, scores, self.reference) for name in self.tasks]
        gains = [[gain for gain in of_task if not math.isnan(gain)] for of_task in found]
        if self._by_task:
            gains = [[fmean(found)] for found in gains if found]
        known = [gain for found in gains for gain in found]
        return fmean(known) if known else -math.inf

    def defined(self, scores: Scores) -> int:
        reference = self._completed(scores)
        return sum(not any(map(math.isnan, self._gains(name, scores, reference))) for name in self.tasks)

    def meaning(self) -> str:
        measure = "Delta-p" if self._by_task else "minus Delta-m"
        return f"{measure} in % against trainer.reference on validation rows; higher is better"

    def _gains(self, name: str, scores: Scores, reference: Reference) -> list[float]:
        """Of the task's metrics; NaN where the metric or its reference is."""
        task = self.tasks[name]
        return [
            (100 if _higher(task, metric) else -100) * (scores[name][metric] - value) / (abs(value) or 1.0)
            for metric, value in reference[name].items()
        ]

    def _completed(self, scores: Scores) -> Reference:
        """The reference; what the first scores have as NaN is that of the first ones in which it is a number."""
        if self.reference is not None and self._is_given:
            return self.reference
        first = self._first(scores)
        return {
            name: {key: first[name].get(key, value) if math.isnan(value) else value for key, value in values.items()}
            for name, values in (self.reference or first).items()
        }

    def _first(self, scores: Scores) -> Reference:
        """The metrics that count in Delta-p, the judging ones in Delta-m, at this first look."""
        wanted = {name: task.counted if self._by_task else [task.judge] for name, task in self.tasks.items()}
        return {name: {key: scores[name][key] for key in keys if key in scores[name]} for name, keys in wanted.items()}


def epoch_score(
    tasks: Mapping[str, Task], select: Select, monitor: str | None = None, reference: Reference | str | None = None
) -> EpochScore:
    """What compares epochs.

    Args:
        tasks: by name.
        select: the rule; under `last`, the geometric mean is written down and nothing goes by it.
        monitor: 'TASK/METRIC' in place of a mean over tasks.
        reference: of the delta rules: values, or 'first'.

    Raises:
        ConfigError: for a rule that these tasks cannot have.
    """
    if monitor is not None:
        return Monitored(tasks, monitor)
    if select in (Select.delta_m, Select.delta_p):
        values = None if isinstance(reference, str) else reference
        return RelativeGain(tasks, values, by_task=select == Select.delta_p)
    return ArithmeticMean(tasks) if select == Select.arithmetic else GeometricMean(tasks)


def _higher(task: Task, metric: str) -> bool:
    return metric != "loss" and task.higher_is_better(metric)
