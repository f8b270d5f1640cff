"""How much data each task got."""

from __future__ import annotations

from matplotlib.figure import Figure

from mtlrun.reporting.figures.style import NAMED_LINES, clean, figure, headline, looks, short
from mtlrun.reporting.series import Series


def rows(series: Series) -> Figure | None:
    """Share of each task in all labelled rows of the training steps; sorted where there are many."""
    totals = {task: float(course.y.sum()) for task, course in series.steps("rows").items()}
    total = sum(totals.values())
    if not total:
        return None
    order = sorted(totals, key=lambda task: -totals[task]) if len(totals) > NAMED_LINES else [*totals]
    drawing = figure(7, 1.3 + 0.2 * max(4, len(order)))
    axes = drawing.subplots()
    headline(axes, "Share of the labelled rows")
    look_of = looks(series.tasks)
    shares = [100 * totals[task] / total for task in order]
    colours = [look_of[task].colour for task in order]
    bars = axes.barh([short(task) for task in order], shares, color=colours, height=0.7)
    axes.bar_label(bars, fmt="%.1f %%", fontsize=7.5, padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.01)
    clean(axes)
    axes.grid(False, axis="y")
    axes.set_xlabel("% of all labels drawn in training", fontsize=9)
    return drawing
