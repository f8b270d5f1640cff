"""Courses over time for the page: per quantity, name (a task, a pair of tasks) and row a mean, a band, single runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mtlrun.reporting.model import Section, TaskColumn
from mtlrun.reporting.page.content import PageRow
from mtlrun.reporting.page.thinning import at_positions, common_positions, mean_and_deviation
from mtlrun.reporting.series import Array, Course, Series
from mtlrun.reporting.text import NO_VERDICT, arrow, pair_name

_MOST_VALUES = 80_000  # in all courses of a page together: about 600 KB
_FEWEST_POINTS = 12
_DETAILS = [(points, singles) for singles in (True, False) for points in (200, 100, 50, 25, _FEWEST_POINTS)]

Courses = Mapping[str, Course]


@dataclass(frozen=True)
class Quantity:
    """Something that changes over training.

    read: of one run, the course of each name.
    unit: of each name. share: part of the page's values that it may take, relative to the others.
    """

    title: str
    axis: str
    read: Callable[[Series, Sequence[TaskColumn]], Courses]
    unit: Callable[[TaskColumn], str] = lambda column: ""
    share: int = 1


@dataclass(frozen=True)
class _Found:
    """The courses of one quantity: [row][run] by name."""

    quantity: Quantity
    rows: Sequence[Sequence[Courses]]

    @property
    def names(self) -> list[str]:
        return [*dict.fromkeys(name for row in self.rows for run in row for name in run)]


def _score(series: Series, tasks: Sequence[TaskColumn]) -> Courses:
    return {column.task: series.metric("val", column.task, column.metric) for column in tasks}


def _loss(split: str) -> Callable[[Series, Sequence[TaskColumn]], Courses]:
    return lambda series, tasks: {column.task: series.metric(split, column.task, "loss") for column in tasks}


def _per_step(column: str) -> Callable[[Series, Sequence[TaskColumn]], Courses]:
    return lambda series, tasks: series.steps(column)


def _cosines(series: Series, tasks: Sequence[TaskColumn]) -> Courses:
    found, names = series.cosines, series.tasks
    return {
        pair_name(names[a], names[b]): Course(found.steps, found.values_STT[:, a, b])
        for a, b in combinations(range(len(names)), 2)
        if len(found.steps)
    }


COSINES = "cosine of gradients"
QUANTITIES = (
    Quantity("validation score", "epoch", _score, lambda column: f"{column.metric} {arrow(column.higher)}", 3),
    Quantity("validation loss", "epoch", _loss("val")),
    Quantity("training loss", "epoch", _loss("train")),
    Quantity("task weight", "step", _per_step("weight")),
    Quantity("gradient norm", "step", _per_step("grad_norm")),
    Quantity(COSINES, "step", _cosines),
)


def curves(section: Section, rows: Sequence[PageRow], share: float = 1.0) -> list[dict[str, Any]]:
    """The quantities that any run has, in JSON's own types; `share` of the page's size may be used.

    Of each: `x` [n], `names`, `units`, `note`, and `curves` [name][row]: None, or mean `m` [n], deviation `s` [n] and
    single runs `r` [run][n] where there are several.
    """
    found = [_read(quantity, section.tasks, rows) for quantity in QUANTITIES]
    present = [entry for entry in found if entry.names]
    total = sum(entry.quantity.share for entry in present)
    units = {column.task: column for column in section.tasks}
    return [_payload(entry, units, share * _MOST_VALUES * entry.quantity.share / total) for entry in present]


def _read(quantity: Quantity, tasks: Sequence[TaskColumn], rows: Sequence[PageRow]) -> _Found:
    return _Found(
        quantity,
        [
            [_known(quantity.read(series, tasks)) for series in row.series]
            for row in rows
        ],
    )  # fmt: skip


def _known(courses: Courses) -> Courses:
    known = {name: course.known() for name, course in courses.items()}
    return {name: course for name, course in known.items() if len(course.x)}


def _payload(found: _Found, tasks: Mapping[str, TaskColumn], budget: float) -> dict[str, Any]:
    names = found.names
    points, singles, kept = _detail(found, budget)
    x = common_positions((course for row in found.rows for run in row for course in run.values()), points)
    units = [found.quantity.unit(tasks[name]) if name in tasks else "" for name in names[:kept]]
    return {
        "title": found.quantity.title,
        "axis": found.quantity.axis,
        "x": [*_plain(x)],
        "names": names[:kept],
        "units": units,
        "note": " ".join(_notes(found, x, singles, len(names) - kept)),
        "curves": [[_curve(row, name, x, singles) for row in found.rows] for name in names[:kept]],
    }


def _detail(found: _Found, budget: float) -> tuple[int, bool, int]:
    """Points per curve, whether single runs are shown, and how many names fit the budget."""
    names, rows, runs = len(found.names), len(found.rows), sum(len(row) for row in found.rows)
    longest = max(len(course.x) for row in found.rows for run in row for course in run.values())
    for points, singles in _DETAILS:
        if names * min(points, longest) * (2 * rows + singles * runs) <= budget:
            return points, singles, names
    return _FEWEST_POINTS, False, max(1, int(budget / (_FEWEST_POINTS * 2 * rows)))


def _notes(found: _Found, x: Array, singles: bool, left_out: int) -> Iterator[str]:
    if len(x) < max(len(course.x) for row in found.rows for run in row for course in run.values()):
        yield f"Each point is a mean over 1/{len(x)} of the training."
    if found.quantity.title == COSINES:
        once = all(len(course.x) == 1 for row in found.rows for run in row for course in run.values())
        yield f"{'Measured at one step only. ' if once else ''}{NO_VERDICT}"
    if not singles and any(len(row) > 1 for row in found.rows):
        yield "Single runs are left out: there are too many for one page."
    if left_out:
        yield f"{left_out} more are left out: there are too many for one page."


def _curve(runs: Sequence[Courses], name: str, x: Array, singles: bool) -> dict[str, Any] | None:
    values = [at_positions(run[name], x) for run in runs if name in run]
    if not values:
        return None
    mean, deviation = mean_and_deviation(values)
    curve: dict[str, Any] = {"m": [*_plain(mean)]}
    if len(values) > 1:
        curve["s"] = [*_plain(deviation)]
        curve |= {"r": [[*_plain(run)] for run in values]} if singles else {}
    return curve


def _plain(values: Array) -> Iterator[float | int | None]:
    """Four digits: more than a screen has room for."""
    for value in values:
        if not np.isfinite(value):
            yield None
            continue
        number = float(f"{value:.4g}") if abs(value) < 1000 else float(round(value))
        yield int(number) if number.is_integer() else number
