"""One value per task over time: weights, gradient norms, shares of the update, generalisation gaps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtlrun.reporting.figures.style import (
    FAINT,
    INK,
    NAMED_LINES,
    ONCE,
    Look,
    clean,
    figure,
    headline,
    log_if_wide,
    looks,
    short,
    whole_numbers,
)
from mtlrun.reporting.series import Course, Series, smooth

_Courses = Mapping[str, Course]
_EXTREMES = 4  # tasks named at either end, where there are too many to name
_MARKED = 16  # points up to which each gets a marker
_GRID = 200  # points of a band


def weights(series: Series) -> Figure | None:
    """Weights that the balancer gave the tasks."""
    courses = series.steps("weight")
    drawing = _by_task(series, courses, "Task weights", "weight", "step")
    if drawing is not None:
        log_if_wide(drawing.axes[0], *(course.y for course in courses.values()))
    return drawing


def norms(series: Series) -> Figure | None:
    """Norms of the tasks' gradients on the shared parameters, logarithmic."""
    courses = {task: _positive(course) for task, course in series.steps("grad_norm").items()}
    known = {task: course for task, course in courses.items() if len(course.x)}
    drawing = _by_task(series, known, "Gradient norms on the shared parameters", "norm", "step")
    if drawing is not None:
        drawing.axes[0].set_yscale("log")
    return drawing


def update_share(series: Series) -> Figure | None:
    """Dominance: each task's share of the update of the shared parameters."""
    ylabel = "share (below 0: update goes against task)"
    drawing = _by_task(series, series.update_shares(), "Share of the update", ylabel, "step")
    if drawing is not None:
        if series.cosines.measured_once:
            headline(drawing.axes[0], "Share of the update", ONCE)
        _reference(drawing.axes[0], 1 / len(series.tasks), "equal shares")
        drawing.axes[0].axhline(0, color=FAINT, linewidth=0.8)
    return drawing


def gap(series: Series) -> Figure | None:
    """Generalisation gap per epoch."""
    courses = {task: series.gap(task) for task in series.tasks}
    known = {task: course for task, course in courses.items() if len(course.x)}
    drawing = _by_task(series, known, "Generalisation gap", "validation loss − training loss", "epoch")
    if drawing is not None:
        drawing.axes[0].axhline(0, color=FAINT, linewidth=0.8)
    return drawing


def band(axes: Axes, courses: _Courses) -> None:
    """Median and quantiles over many courses, each interpolated onto common positions."""
    x = np.linspace(
        min(course.x[0] for course in courses.values()),
        max(course.x[-1] for course in courses.values()),
        _GRID,
    )
    values = np.array([np.interp(x, course.x, course.y) for course in courses.values()])
    low, tenth, median, ninetieth, high = np.percentile(values, [0, 10, 50, 90, 100], axis=0)
    axes.fill_between(x, low, high, color="#ececec", linewidth=0, label="lowest to highest")
    axes.fill_between(x, tenth, ninetieth, color="#d2d2d2", linewidth=0, label="10th to 90th percentile")
    axes.plot(x, median, color=FAINT, linewidth=2, label="median")


def line(axes: Axes, name: str, course: Course, look: Look) -> None:
    """A course: faint as it is, and its running mean, which the legend names."""
    mean = smooth(course)
    few = len(course.x) <= _MARKED
    axes.plot(course.x, course.y, color=look.colour, alpha=0.3, linewidth=0.5)
    (drawn,) = axes.plot(mean.x, mean.y, color=look.colour, linewidth=1.5, label=short(name, 34))
    drawn.set(linestyle=look.dash, marker="o" if few else "", markersize=3)


def finish(axes: Axes, ylabel: str, xlabel: str) -> None:
    """Labels, and the legend."""
    clean(axes)
    whole_numbers(axes)
    axes.set_xlabel(xlabel, fontsize=9)
    axes.set_ylabel(ylabel, fontsize=9)
    legend(axes)


def legend(axes: Axes) -> None:
    """Beside the axes, and no part of them."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, fontsize=8, handlelength=3)


def _by_task(series: Series, courses: _Courses, title: str, ylabel: str, xlabel: str) -> Figure | None:
    """All tasks by name; or, where they are too many, their spread and the highest and lowest."""
    if not courses:
        return None
    many = len(courses) > NAMED_LINES
    drawing = figure(8, 4)
    axes = drawing.subplots()
    if many:
        band(axes, {task: smooth(course) for task, course in courses.items()})
    look_of = looks(series.tasks)
    for task in _extremes(courses) if many else courses:
        line(axes, task, courses[task], look_of[task])
    note = f"named: the {_EXTREMES} highest and the {_EXTREMES} lowest of {len(courses)} tasks, by their mean"
    headline(axes, title, note if many else "")
    finish(axes, ylabel, xlabel)
    return drawing


def _extremes(courses: _Courses) -> list[str]:
    """Names from the highest to the lowest mean, without the middle."""
    ordered = sorted(courses, key=lambda task: -courses[task].y.mean())
    return ordered[:_EXTREMES] + ordered[-_EXTREMES:]


def _positive(course: Course) -> Course:
    """Without values that a logarithmic axis cannot show."""
    return Course(course.x[course.y > 0], course.y[course.y > 0])


def _reference(axes: Axes, height: float, label: str) -> None:
    axes.axhline(height, color=INK, linestyle=":", linewidth=1.2, zorder=1, label=label)
    legend(axes)
