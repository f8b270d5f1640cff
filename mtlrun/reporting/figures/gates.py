"""What each task's gates let through."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mtlrun.reporting.figures.courses import line
from mtlrun.reporting.figures.grid import label, legend
from mtlrun.reporting.figures.panels import panels
from mtlrun.reporting.figures.style import look, short
from mtlrun.reporting.series import Series


def gates(series: Series) -> Figure | None:
    """Weights of the experts over time, a panel per task and gate."""
    if not series.gates:
        return None
    several = len({gate for _, gate in series.gates}) > 1
    drawing, grid, scale = panels("Weights of the experts", len(series.gates), "gates", "step")
    for axes, ((task, gate), experts) in zip(grid, series.gates.items()):
        for expert, course in experts.items():
            line(axes, f"expert {expert}", course, look(expert))
        axes.set_ylim(0, 1.02)
        label(axes, f"{short(task, 18)}, {gate}" if several else short(task, 18), scale)
    count = max(map(len, series.gates.values()))
    entries = [(f"expert {expert}", look(expert)) for expert in range(count)]
    legend(drawing, [Line2D([], [], color=of.colour, linestyle=of.dash, label=name) for name, of in entries])
    return drawing
