"""The pictures of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from mtlrun.reporting.figures import cosines, courses, gates, panels, rows
from mtlrun.reporting.series import Series
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run

FIGURES: dict[str, Callable[[Series], Figure | None]] = {
    "losses": panels.losses,
    "metrics": panels.metrics,
    "weights": courses.weights,
    "cosines": cosines.heat_map,
    "cosine_course": cosines.course,
    "norms": courses.norms,
    "update_share": courses.update_share,
    "rows": rows.rows,
    "gap": courses.gap,
    "gates": gates.gates,
}
"""File name without ending -> figure, or None where the run did not record what it needs."""


def plot_run(run: Run) -> list[Path]:
    """Draw into `plots/` of the run whatever its tables allow; return the files."""
    series, folder = Series(run), RunFolder(run.path).plots
    written = []
    for name, draw in FIGURES.items():
        drawing = draw(series)
        if drawing is not None:
            drawing.savefig(folder / f"{name}.png")
            written.append(folder / f"{name}.png")
    return written
