"""Losses and metrics: one panel per task, since tasks have scales of their own."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mtlrun.reporting.figures.grid import MAX_PANELS, AxisScale, drop, label, legend, near_square, panel_grid
from mtlrun.reporting.figures.style import FAINT, INK, Dash, Look, log_if_wide, looks, short
from mtlrun.reporting.series import Course, Series, smooth

_ROWS = 6  # tasks up to which every metric gets a panel
_COLUMNS = 4
_MARKED = 40  # points up to which each gets a marker


def losses(series: Series) -> Figure | None:
    """Training loss per step (faint), its running mean, and the validation loss per epoch."""
    train, nothing = series.steps("loss"), Course.empty()
    val = {task: series.metric("val", task, "loss", against="step").known() for task in series.tasks}
    tasks = [task for task in series.tasks if task in train or len(val[task].x)]
    if not tasks:
        return None
    drawing, chosen, scale = panels("Loss", len(tasks), "tasks", "step")
    look_of = looks(series.tasks)
    for axes, task in zip(chosen, tasks):
        _loss_panel(axes, train.get(task, nothing), val[task], look_of[task])
        label(axes, short(task, 18), scale)
    legend(drawing, [_line(FAINT, "-", "training, running mean"), _line(INK, "--", "validation", "o")])
    return drawing


def metrics(series: Series) -> Figure | None:
    """Metrics over epochs, the judging one first, the best epoch marked; only that one for many tasks."""
    tasks = [task for task in series.tasks if series.judge(task)[0]]
    if not tasks:
        return None
    drawing = _metric_table(series, tasks) if len(tasks) <= _ROWS else _judging_panels(series, tasks)
    splits = series.metric_splits
    entries = [_line(FAINT, "-", "validation", "o")]
    entries += [_line(FAINT, "--", "training")] * ("train" in splits) + [_test_entry()] * ("test" in splits)
    if series.best_epoch is not None:
        entries.append(_line(INK, ":", "best epoch, on validation"))
    legend(drawing, entries)
    return drawing


def _metric_table(series: Series, tasks: list[str]) -> Figure:
    names = {task: _judging_first(series, task)[:_COLUMNS] for task in tasks}
    columns = max(map(len, names.values()))
    drawing, grid, scale = panel_grid(len(tasks), columns, "Metrics, the judging one first", "epoch")
    for index, task in reversed([*enumerate(tasks)]):  # upwards: labels may move up more than once
        for column, axes in enumerate(grid[index]):
            if column >= len(names[task]):
                drop(axes, grid[index - 1][column] if index else None)
                continue
            metric = names[task][column]
            _metric_panel(axes, series, task, metric)
            title = f"{short(task, 18)}: {metric}{_arrow(series, task, metric)}"
            label(axes, title, scale, bold=column == 0)
    return drawing


def _judging_panels(series: Series, tasks: list[str]) -> Figure:
    drawing, chosen, scale = panels("Judging metric", len(tasks), "tasks", "epoch")
    for axes, task in zip(chosen, tasks):
        metric = str(series.judge(task)[0])
        _metric_panel(axes, series, task, metric)
        label(axes, f"{short(task, 18)}\n{short(metric, 16)}{_arrow(series, task, metric)}", scale)
    return drawing


def panels(title: str, wanted: int, of: str, xlabel: str) -> tuple[Figure, list[Axes], AxisScale]:
    """So many equal panels, or as many as fit, in a figure that is almost square; `of` says what they are."""
    count = min(wanted, MAX_PANELS)
    rows, columns = near_square(count)
    title = title if count == wanted else f"{title}: the first {count} of {wanted} {of}"
    drawing, grid, scale = panel_grid(rows, columns, title, xlabel)
    flat = [axes for row in grid for axes in row]
    for index, axes in enumerate(flat[count:], start=count):
        drop(axes, flat[index - columns] if rows > 1 else None)
    return drawing, flat[:count], scale


def _loss_panel(axes: Axes, train: Course, val: Course, look: Look) -> None:
    mean = smooth(train)
    axes.plot(train.x, train.y, color=look.colour, alpha=0.2, linewidth=0.5)
    axes.plot(mean.x, mean.y, color=look.colour, linewidth=1.4)
    axes.plot(val.x, val.y, color=INK, linestyle="--", marker=_marker(val), markersize=2.5, linewidth=0.9)
    log_if_wide(axes, mean.y, val.y)


def _metric_panel(axes: Axes, series: Series, task: str, metric: str) -> None:
    look = looks(series.tasks)[task]
    val, train, test = (series.metric(split, task, metric).known() for split in ("val", "train", "test"))
    if series.best_epoch is not None:
        axes.axvline(series.best_epoch, color=INK, linestyle=":", linewidth=1)
    axes.plot(train.x, train.y, color=look.colour, linestyle="--", linewidth=0.9)
    axes.plot(val.x, val.y, color=look.colour, marker=_marker(val), markersize=2.5, linewidth=1.4)
    axes.plot(test.x, test.y, color=INK, linestyle="none", marker="D", markersize=4, mfc="white", clip_on=False)


def _line(colour: str, dash: Dash, label: str, marker: str = "") -> Line2D:
    return Line2D([], [], color=colour, linestyle=dash, label=label, marker=marker, markersize=3)


def _test_entry() -> Line2D:
    return Line2D([], [], color=INK, linestyle="none", marker="D", markerfacecolor="white", markersize=4, label="test")


def _marker(course: Course) -> str:
    return "o" if len(course.x) <= _MARKED else ""


def _judging_first(series: Series, task: str) -> list[str]:
    judge = series.judge(task)[0]
    return sorted(series.metric_names(task) or [str(judge)], key=lambda name: name != judge)


def _arrow(series: Series, task: str, metric: str) -> str:
    judge, higher = series.judge(task)
    if metric != judge or higher is None:
        return ""
    return " ↑" if higher else " ↓"
