"""Small multiples: a panel per task, or per task and metric.

The margins are fixed in inches: letting matplotlib negotiate them for 40 panels takes three times as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mtlrun.reporting.figures.style import DPI, INK, clean, whole_numbers

MAX_PANELS = 48


@dataclass(frozen=True)
class AxisScale:
    """Inches of a panel without its labels, of the room left of it and above it; points of its text."""

    width: float
    height: float
    left: float
    above: float
    points: float


WIDE = AxisScale(width=2.6, height=1.5, left=0.62, above=0.36, points=8)
DENSE = AxisScale(width=1.15, height=0.8, left=0.45, above=0.42, points=6.5)
_TOP, _BOTTOM, _RIGHT = 0.35, 0.75, 0.15


def near_square(count: int) -> tuple[int, int]:
    """Rows and columns for so many panels, a little wider than high."""
    columns = {1: 1, 2: 2, 4: 2}.get(count, min(8, math.ceil(math.sqrt(1.4 * count))))
    return math.ceil(count / columns), columns


def panel_grid(rows: int, columns: int, title: str, xlabel: str) -> tuple[Figure, list[list[Axes]], AxisScale]:
    """A figure of equal panels with a common x axis, which is labelled below the lowest ones."""
    scale = DENSE if columns > 4 else WIDE
    width = max(4.5, columns * (scale.left + scale.width) + _RIGHT)
    height = _TOP + rows * (scale.above + scale.height) + _BOTTOM
    drawing = Figure(figsize=(width, height), dpi=DPI)
    drawing.suptitle(title, fontsize=11, fontweight="bold", color=INK, y=1 - 0.1 / height, va="top")
    grid = drawing.subplots(rows, columns, squeeze=False, sharex=True)
    drawing.subplots_adjust(
        left=scale.left / width,
        right=1 - _RIGHT / width,
        bottom=_BOTTOM / height,
        top=1 - (_TOP + scale.above) / height,
        wspace=scale.left / scale.width,
        hspace=scale.above / scale.height,
    )
    for axes in grid[-1]:
        axes.set_xlabel(xlabel, fontsize=scale.points)
    return drawing, [list(row) for row in grid], scale


def drop(axes: Axes, above: Axes | None) -> None:
    """Empty a place of the grid; the panel above it takes over the labels of the x axis."""
    axes.set_axis_off()
    if above is not None:
        above.xaxis.set_tick_params(labelbottom=True)
        above.set_xlabel(axes.get_xlabel(), fontsize=axes.xaxis.label.get_fontsize())


def label(axes: Axes, title: str, scale: AxisScale, bold: bool = False) -> None:
    """Title, grid and few, short tick labels; after the data is drawn, since the y scale must be known."""
    clean(axes, scale.points)
    whole_numbers(axes, 3 if scale is DENSE else 5)
    weight = "bold" if bold else "normal"
    axes.set_title(title, fontsize=scale.points + 0.5, fontweight=weight, color=INK, loc="left", pad=4)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    if axes.get_yscale() == "log":
        _few_decades(axes)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(3 if scale is DENSE else 5))


def legend(drawing: Figure, entries: Sequence[Line2D]) -> None:
    """One line below all panels."""
    drawing.legend(handles=[*entries], loc="lower center", ncols=len(entries), frameon=False, fontsize=8)


def _few_decades(axes: Axes) -> None:
    axes.yaxis.set_major_locator(LogLocator(numticks=4))
    axes.yaxis.set_minor_formatter(NullFormatter())
