"""How the tasks' gradients on the shared parameters point: together, apart, against each other."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mtlrun.reporting.figures.courses import band, finish, line
from mtlrun.reporting.figures.style import FAINT, INK, NAMED_LINES, ONCE, figure, footnote, headline, look, short
from mtlrun.reporting.series import Course, Series, smooth
from mtlrun.reporting.text import NO_VERDICT, pair_name

_CONFLICTING = 6  # pairs named, where there are too many to name
_NARROWEST = 0.2  # least range of the colours, so that noise around zero looks like what it is


def heat_map(series: Series) -> Figure | None:
    """Mean cosine of each pair over the measured steps; with its value for up to ten tasks."""
    tasks, mean_TT = series.tasks, series.cosines.mean()
    apart = ~np.eye(len(tasks), dtype=bool)
    if not np.isfinite(mean_TT[apart]).any():
        return None
    side = max(4.2, 1.6 + (0.62 if len(tasks) <= NAMED_LINES else 0.17) * len(tasks))
    drawing = figure(side + 0.9, side)
    axes = drawing.subplots()
    headline(axes, "Mean cosine of the tasks' gradients", ONCE if series.cosines.measured_once else "")
    limit = max(_NARROWEST, float(np.nanmax(np.abs(mean_TT[apart]))))
    shown = np.where(apart, mean_TT, np.nan)
    image = axes.imshow(shown, cmap="RdBu", vmin=-limit, vmax=limit)
    axes.set_facecolor("#dddddd")  # the diagonal, and pairs that were never measured together
    _names(axes, tasks)
    if len(tasks) <= NAMED_LINES:
        _values(axes, shown, limit)
    bar = drawing.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("below 0: opposed", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    footnote(drawing, NO_VERDICT)
    return drawing


def course(series: Series) -> Figure | None:
    """Cosine of each pair over time; for many pairs their spread and the most conflicting ones."""
    pairs = _pairs(series)
    if not pairs:
        return None
    many = len(pairs) > NAMED_LINES
    drawing = figure(8, 4)
    axes = drawing.subplots()
    if many:
        band(axes, {pair: smooth(values) for pair, values in pairs.items()})
    named = sorted(pairs, key=lambda pair: pairs[pair].y.mean())[:_CONFLICTING] if many else [*pairs]
    for index, pair in enumerate(named):
        line(axes, pair, pairs[pair], look(index))
    axes.axhline(0, color=INK, linewidth=0.8)
    note = f"named: the {_CONFLICTING} most conflicting of {len(pairs)} pairs, by their mean"
    said = [ONCE if series.cosines.measured_once else "", note if many else ""]
    headline(axes, "Cosine of the tasks' gradients over time", "; ".join(filter(None, said)))
    finish(axes, "cosine", "step")
    footnote(drawing, NO_VERDICT)
    return drawing


def _pairs(series: Series) -> dict[str, Course]:
    tasks, cosines = series.tasks, series.cosines
    found = {
        pair_name(short(tasks[a], 15), short(tasks[b], 15)): Course(cosines.steps, cosines.values_STT[:, a, b]).known()
        for a, b in combinations(range(len(tasks)), 2)
    }
    return {pair: values for pair, values in found.items() if len(values.x)}


def _names(axes: Axes, tasks: list[str]) -> None:
    size = 8 if len(tasks) <= NAMED_LINES else 6
    positions, names = range(len(tasks)), [short(task, 20) for task in tasks]
    axes.set_xticks(positions, names, rotation=90 if len(tasks) > 4 else 0, fontsize=size)
    axes.set_yticks(positions, names, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_color(FAINT)
    axes.set_xticks([position - 0.5 for position in positions][1:], minor=True)
    axes.set_yticks([position - 0.5 for position in positions][1:], minor=True)
    axes.grid(which="minor", color="white", linewidth=1 if len(tasks) <= NAMED_LINES else 0.3)
    axes.tick_params(which="minor", length=0)


def _values(axes: Axes, mean_TT: NDArray[np.float64], limit: float) -> None:
    for (row, column), value in np.ndenumerate(mean_TT):
        if np.isfinite(value):
            colour = "white" if abs(value) > 0.65 * limit else INK
            axes.text(
                column,
                row,
                f"{value:.2f}".replace("-", "−"),
                ha="center",
                va="center",
                fontsize=8,
                color=colour,
            )
