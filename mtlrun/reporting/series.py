"""The tables of a run as arrays, for figures and for anything else that looks at a course over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlrun.runs.reader import Run
from mtlrun.runs.records import Value, read_columns
from mtlrun.runs.update_share import update_share

Array = NDArray[np.float64]
ALL_TASKS = "all"
_LOSSES = ("loss", "gap")


@dataclass(frozen=True)
class Course:
    """Values y [n] at ascending positions x [n] (steps or epochs); NaN where a value is not known."""

    x: Array
    y: Array

    @classmethod
    def empty(cls) -> Course:
        """No values at all."""
        return cls(np.empty(0), np.empty(0))

    def known(self) -> Course:
        """Without the positions whose value is not finite."""
        keep = np.isfinite(self.y)
        return Course(self.x[keep], self.y[keep])


@dataclass(frozen=True)
class Cosines:
    """Cosines over time: steps [S] and, in the order of the tasks, symmetric [S, T, T], diagonal 1."""

    steps: Array
    values_STT: Array

    def mean(self) -> Array:
        """[T, T], over the steps at which a pair was measured; NaN for a pair that never was."""
        known = np.isfinite(self.values_STT)
        total = np.where(known, self.values_STT, 0.0).sum(0)
        return np.divide(total, known.sum(0), out=np.full(total.shape, np.nan), where=known.any(0))

    @property
    def measured_once(self) -> bool:
        """Whether no pair was measured at a second step: then there is no course, and a mean of one value."""
        apart = ~np.eye(self.values_STT.shape[1], dtype=bool)
        counts = np.isfinite(self.values_STT[:, apart]).sum(0)
        return bool(counts.size and counts.max() == 1)


class Series:
    """A run's tables, each read at most once."""

    def __init__(self, run: Run) -> None:
        self._folder = run.path
        self.summary: dict[str, Any] = run.summary

    @cached_property
    def tasks(self) -> list[str]:
        """Names in the run's own order: of the summary, or of first appearance in a table."""
        seen = dict.fromkeys((self.summary.get("tasks") or {}).keys())
        if not seen:
            seen |= dict.fromkeys(self._tasks.get("task", [])) | dict.fromkeys(self._metrics.get("task", []))
        return [str(task) for task in seen if task not in (None, ALL_TASKS)]

    def judge(self, task: str) -> tuple[str | None, bool | None]:
        """The judging metric and whether higher is better; without a summary the first metric and None."""
        entry = (self.summary.get("tasks") or {}).get(task) or {}
        if entry.get("metric"):
            return entry["metric"], entry.get("higher_is_better")
        names = self.metric_names(task)
        return (names[0] if names else None), None

    def metric_names(self, task: str) -> list[str]:
        """Validation metrics of a task, without loss and gap."""
        names = dict.fromkeys(name for split, of, name in self._curves if (split, of) == ("val", task))
        return [name for name in names if name not in _LOSSES]

    @property
    def metric_splits(self) -> set[str]:
        """Splits that metrics, other than the loss, were computed on."""
        return {split for split, task, name in self._curves if name not in _LOSSES and task != ALL_TASKS}

    def metric(self, split: str, task: str, metric: str, against: str = "epoch") -> Course:
        """A metric's course over `against`, 'epoch' or 'step'; empty if it was never written."""
        rows = self._curves.get((split, task, metric), [])
        x = self._metrics.get(against, [])
        return _course([x[row] for row in rows], [self._metrics["value"][row] for row in rows])

    def gap(self, task: str) -> Course:
        """Validation loss minus training loss per epoch, as written, or else from the two losses."""
        written = self.metric("val", task, "gap").known()
        if len(written.x):
            return written
        train, val = (self.metric(split, task, "loss").known() for split in ("train", "val"))
        epochs, left, right = np.intersect1d(train.x, val.x, return_indices=True)
        return Course(epochs, val.y[right] - train.y[left])

    def steps(self, column: str) -> dict[str, Course]:
        """Per task the course of a column of tasks.csv over steps, where it is known; never: no entry."""
        x, y = self._tasks.get("step", []), self._tasks.get(column, [])
        if not x or not y:
            return {}
        known = {}
        for task in self.tasks:
            rows = self._rows.get(task, [])
            known[task] = _course([x[row] for row in rows], [y[row] for row in rows]).known()
        return {task: course for task, course in known.items() if len(course.x)}

    @cached_property
    def cosines(self) -> Cosines:
        """The content of cosines.csv; S = 0 if nothing was measured."""
        position = {task: index for index, task in enumerate(self.tasks)}
        table = self._read("cosines.csv")
        pairs = zip(*(table.get(name, []) for name in ("step", "task_a", "task_b", "cosine")))
        known = [(s, position[a], position[b], c) for s, a, b, c in pairs if a in position and b in position]
        steps, index = np.unique(_floats([row[0] for row in known]), return_inverse=True)
        values = np.full((len(steps), len(position), len(position)), np.nan)
        values[:, range(len(position)), range(len(position))] = 1.0
        first, second = (np.array([row[index] for row in known], dtype=int) for index in (1, 2))
        values[index, first, second] = values[index, second, first] = _floats([row[3] for row in known])
        return Cosines(steps, values)

    def update_shares(self) -> dict[str, Course]:
        """Each task's share of the update at the measured steps; {} if something it needs was not written."""
        steps = self.cosines.steps
        weights, norms = (_table(self.steps(name), self.tasks, steps) for name in ("weight", "grad_norm"))
        shares = [update_share(w, n, c) for w, n, c in zip(weights, norms, self.cosines.values_STT)]
        courses = {
            task: Course(steps, np.array([share[index] for share in shares])).known()
            for index, task in enumerate(self.tasks)
        }
        return {task: course for task, course in courses.items() if len(course.x)}

    @cached_property
    def gates(self) -> dict[tuple[str, str], dict[int, Course]]:
        """Per task and gate the courses of its experts' weights; {} for schemes without gates."""
        table = self._read("gates.csv")
        points: dict[tuple[str, str], dict[int, list[tuple[Value, Value]]]] = {}
        for step, task, gate, expert, weight in zip(*table.values()):
            points.setdefault((str(task), str(gate)), {}).setdefault(int(expert or 0), []).append((step, weight))
        return {
            gate: {expert: _course(*map(list, zip(*values))) for expert, values in experts.items()}
            for gate, experts in points.items()
        }

    @cached_property
    def best_epoch(self) -> float | None:
        """The epoch that was chosen on validation data; None if the summary does not say."""
        return self.summary.get("best_epoch")

    def _read(self, name: str) -> dict[str, list[Value]]:
        return read_columns(Path(self._folder, name))

    @cached_property
    def _metrics(self) -> dict[str, list[Value]]:
        return self._read("metrics.csv")

    @cached_property
    def _tasks(self) -> dict[str, list[Value]]:
        return self._read("tasks.csv")

    @cached_property
    def _curves(self) -> dict[tuple[str, str, str], list[int]]:
        """Row numbers of metrics.csv by split, task and metric."""
        found: dict[tuple[str, str, str], list[int]] = {}
        keys = zip(*(self._metrics.get(name, []) for name in ("split", "task", "metric")))
        for row, key in enumerate(keys):
            found.setdefault(key, []).append(row)
        return found

    @cached_property
    def _rows(self) -> dict[Any, list[int]]:
        """Row numbers of tasks.csv by task."""
        found: dict[Any, list[int]] = {}
        for row, task in enumerate(self._tasks.get("task", [])):
            found.setdefault(task, []).append(row)
        return found


def smooth(course: Course, parts: int = 30) -> Course:
    """Centred running mean over 1/`parts` of the course to either side.

    The window narrows evenly towards the ends, which keeps a straight line as it is, down to half its width;
    the very ends, where a mean would be as noisy as the values, are left out.
    """
    count = len(course.y)
    widest = count // parts
    middle = np.arange((widest + 1) // 2, count - (widest + 1) // 2)
    reach = np.minimum(widest, np.minimum(middle, count - 1 - middle))
    total = np.concatenate([[0.0], np.cumsum(course.y)])
    return Course(course.x[middle], (total[middle + reach + 1] - total[middle - reach]) / (2 * reach + 1))


def _table(courses: Mapping[str, Course], tasks: list[str], steps: Array) -> Array:
    """[S, T] of the courses at exactly these steps; NaN where there is no value."""
    values = np.full((len(steps), len(tasks)), np.nan)
    for index, task in enumerate(tasks):
        if task in courses:
            _, at, of = np.intersect1d(steps, courses[task].x, return_indices=True)
            values[at, index] = courses[task].y[of]
    return values


def _course(x: list[Value], y: list[Value]) -> Course:
    return Course(_floats(x), _floats(y))


def _floats(values: list[Any]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
