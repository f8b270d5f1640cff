"""The two-objective problem that gradient balancers are shown on, in the two coordinates of one point.

Liu, Liu, Jin, Stone & Liu, "Conflict-Averse Gradient Descent for Multi-task Learning", NeurIPS 2021, arXiv:2110.14048;
with the first loss scaled by 0.1 in Navon et al., "Multi-Task Learning as a Bargaining Game", ICML 2022,
arXiv:2202.01017, and Liu, Feng, Stone & Liu, "FAMO", NeurIPS 2023, arXiv:2306.03792.

Above x2 = 0 each loss is the logarithm of a distance to a curve, with a narrow valley along it; below, a parabola.
Points with x2 near -8.355 and x1 from -7 to 7 are Pareto optimal. Signs of the papers' formulas that cancel are left
out, which changes no bit of a value: tanh is odd, distances and squares are even.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mtlrun.data.source import Source, Splits, TensorSource
from mtlrun.data.split_sizes import MOST_ROWS
from mtlrun.options import whole

TASKS = ("first", "second")
NARROWEST = 5e-6
"""Smallest distance under the logarithm."""


def load(rows: int = 50) -> Splits:
    """Tasks `first` and `second` on rows without content, [N, 1]: all that varies is the point.

    Args:
        rows: of an epoch; with batches of one row also the steps between two records of the point.

    Raises:
        ConfigError: if there is no row, or there are too many.
    """
    whole("data.rows", rows, 1, MOST_ROWS)
    return Splits([empty(rows)], [empty(1)], [empty(1)], f"two functions of one point, {rows} empty rows an epoch")


def empty(rows: int) -> Source:
    """Rows of zeros, labelled with zeros."""
    return TensorSource("toy", torch.zeros(rows, 1), {task: torch.zeros(rows) for task in TASKS})


def first(points: Tensor) -> Tensor:
    """The first loss at points [..., 2], without the factor 0.1 of later papers: [...]."""
    x1, x2 = points.unbind(-1)
    return blend(
        x2,
        above=lambda: log_distance(0.5 * (x1 + 7) - torch.tanh(x2)),
        below=lambda: ((x1 - 7) ** 2 + 0.1 * (x2 + 8) ** 2) / 10 - 20,
    )


def second(points: Tensor) -> Tensor:
    """The second loss at points [..., 2]: [...].

    The valley has + tanh(-x2), as in the code of all papers; the appendices of the later two print a minus.
    """
    x1, x2 = points.unbind(-1)
    return blend(
        x2,
        above=lambda: log_distance(0.5 * (x1 - 3) + torch.tanh(x2) - 2),
        below=lambda: ((x1 + 7) ** 2 + 0.1 * (x2 + 8) ** 2) / 10 - 20,
    )


def blend(x2: Tensor, above: Callable[[], Tensor], below: Callable[[], Tensor]) -> Tensor:
    """max(tanh(x2 / 2), 0) * above + max(tanh(-x2 / 2), 0) * below: one where x2 is large, the other where it is small.

    On the line between it is 0, and both count in the gradient: torch.clamp, which knows none there, would hold every
    method at (0, 0). Where all points lie on one side, as the one point of a run nearly always does, the other side is
    not worked out: it adds zeros to a value and a gradient, and makes a step half as dear again.
    """
    weight = torch.tanh(0.5 * x2)
    if bool((x2 > 0).all()):
        return weight * above()
    if bool((x2 < 0).all()):
        return -weight * below()
    return weight * ((x2 >= 0) * above() - (x2 <= 0) * below())


def log_distance(difference: Tensor) -> Tensor:
    return difference.abs().clamp(min=NARROWEST).log() + 6
