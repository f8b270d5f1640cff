"""Where a point went over the contours of the objectives that pull at it: tasks that are functions of two numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mtlrun.reporting.figures.style import FAINT, INK, clean, figure, headline
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run
from mtlrun.tasks.base import Task
from mtlrun.tasks.objective import Objective

Array = NDArray[np.float64]

FRAME = ((-10.0, 10.0), (-10.0, 10.0))
"""Shown in any case, in x1 and x2; more where the trajectory leads out of it."""
_POINTS = 201  # of the grid, along each side
_LEVELS = 25
_MARGIN = 0.5


@dataclass(frozen=True)
class Grid:
    """Values of T objectives on a grid.

    x1, x2: [N]; values: [T, N, N]; opposed: [N, N], the cross product of the first two unweighted gradients where they
    point apart (it changes sign where they are opposite: a Pareto stationary point), NaN elsewhere.
    """

    x1: Array
    x2: Array
    values: Array
    opposed: Array


def draw_trajectory(run: Run, tasks: Mapping[str, Task]) -> Path | None:
    """Draw `plots/trajectory.png` of a run, from the points in its metrics.csv.

    Args:
        run: a run that has been evaluated at least once.
        tasks: of the run.

    Returns:
        The file; None where a task is no function of two numbers, or no point was recorded.
    """
    objectives = [task for task in tasks.values() if isinstance(task, Objective) and task.coordinates == 2]
    if not objectives or len(objectives) < len(tasks):
        return None
    points = {objective.name: recorded_points(run, objective.name) for objective in objectives}
    if not all(map(len, points.values())):
        return None
    path = RunFolder(run.path).plots / "trajectory.png"
    trajectory(objectives, points).savefig(path)
    return path


def recorded_points(run: Run, task: str) -> Array:
    """The points [n, 2] of each evaluation in order, after the start if the configuration tells it."""
    found: dict[str, dict[float, float]] = {"x1": {}, "x2": {}}
    for row in run.metrics:
        if (row["split"], row["task"]) == ("val", task) and row["metric"] in found and row["value"] is not None:
            found[str(row["metric"])][float(row["step"] or 0)] = float(row["value"])
    evaluated = [[found["x1"][step], found["x2"][step]] for step in sorted(found["x1"]) if step in found["x2"]]
    backbone = run.config.get("backbone") or {}
    start, elsewhere = backbone.get("start"), run.config.get("init_from") or backbone.get("weights")
    told = evaluated and not elsewhere
    known = [list(start)] if told and isinstance(start, list) and len(start) == 2 else []
    return np.array(known + evaluated, dtype=np.float64).reshape(-1, 2)


def trajectory(objectives: list[Objective], points: Mapping[str, Array]) -> Figure:
    """One panel per objective with the trajectory of its task, and one of their weighted sum with all that differ.

    Args:
        points: per task those that it went through, [n, 2]: the same for all, unless each task has a network.
    """
    paths = [points[objective.name] for objective in objectives]
    different = [path for index, path in enumerate(paths) if not any(np.array_equal(path, p) for p in paths[:index])]
    grid = evaluate(objectives, np.concatenate(paths))
    total = sum(objective.scale * values for objective, values in zip(objectives, grid.values))
    panels = [(objective.name, values, [path]) for objective, values, path in zip(objectives, grid.values, paths)]
    panels.append(("sum, as scaled", np.asarray(total), different))
    drawing = figure(4 * len(panels), 4.2)
    for index, (axes, panel) in enumerate(zip(drawing.subplots(1, len(panels), squeeze=False)[0], panels)):
        name, values, shown = panel
        contours(axes, grid, values)
        for path in shown:
            line(axes, path)
        headline(axes, name)
        clean(axes)
        axes.set_xlabel("x1", fontsize=9)
        if index == 0:
            axes.set_ylabel("x2", fontsize=9)
    handles, labels = drawing.axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)
    return drawing


def evaluate(objectives: list[Objective], points: Array) -> Grid:
    """The objectives on a grid that holds the frame and the trajectory."""
    spans = [
        (min(low, values.min() - _MARGIN), max(high, values.max() + _MARGIN))
        for (low, high), values in zip(FRAME, points.T)
    ]
    x1, x2 = (torch.linspace(low, high, _POINTS, dtype=torch.float64) for low, high in spans)
    grid = torch.stack(torch.meshgrid(x1, x2, indexing="xy"), -1).requires_grad_()
    values = [objective.values(grid) for objective in objectives]
    slopes = [torch.autograd.grad(value.sum(), grid)[0] for value in values]
    opposed = torch.full(grid.shape[:2], torch.nan)
    if len(slopes) > 1:
        one, other = slopes[0], slopes[1]
        cross = one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
        opposed = torch.where((one * other).sum(-1) < 0, cross, torch.nan)
    shown = torch.stack(values).detach().numpy()
    return Grid(x1.numpy(), x2.numpy(), shown, opposed.detach().numpy())


def contours(axes: Axes, grid: Grid, values: Array) -> None:
    """Levels of one function [N, N], and where no step helps both of the first two objectives."""
    axes.contourf(grid.x1, grid.x2, values, levels=_LEVELS, cmap="Blues_r", alpha=0.75)
    axes.contour(grid.x1, grid.x2, values, levels=_LEVELS, colors="white", linewidths=0.4, linestyles="solid")
    if np.isfinite(grid.opposed).any():
        axes.contour(grid.x1, grid.x2, grid.opposed, levels=[0.0], colors=FAINT, linewidths=1.6)
        axes.plot([], [], color=FAINT, linewidth=1.6, label="Pareto stationary")


def line(axes: Axes, points: Array) -> None:
    """The trajectory from its first point to its last."""
    axes.plot(*points.T, color="#D55E00", linewidth=1.6, label="trajectory")
    axes.plot(*points[0], color=INK, marker="o", markersize=6, linestyle="none", label="start")
    axes.plot(*points[-1], color="#D55E00", marker="*", markersize=13, mec=INK, linestyle="none", label="end")
