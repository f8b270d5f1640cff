"""The two-objective problem that gradient balancers are shown on, in the two coordinates of one point.

Liu, Liu, Jin, Stone & Liu, "Conflict-Averse Gradient Descent for Multi-task Learning", NeurIPS 2021, arXiv:2110.14048;
with the first loss scaled by 0.1 in Navon et al., "Multi-Task Learning as a Bargaining Game", ICML 2022,
arXiv:2202.01017, and Liu, Feng, Stone & Liu, "FAMO", NeurIPS 2023, arXiv:2306.03792.

Above x2 = 0 each loss is the logarithm of a distance to a curve, with a narrow valley along it; below, a parabola.
Points with x2 near -8.355 and x1 from -7 to 7 are Pareto optimal. The second loss is the mirror image of the first.
Signs of the formulas that cancel are left out: tanh is odd, distances and squares are even.

A step of a run is one point, for which a tensor operation costs a hundred times the arithmetic in it. So values and
gradients are worked out together in plain numbers, in double precision, whatever the type of the points.
"""

from __future__ import annotations

from math import log, tanh
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    return _Loss.apply(points, 1)


def second(points: Tensor) -> Tensor:
    """The second loss at points [..., 2]: [...].

    The valley has + tanh(-x2), as in the code of all papers; the appendices of the later two print a minus.
    """
    return _Loss.apply(points, -1)


class _Loss(torch.autograd.Function):
    """One of the losses, with its first derivatives."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, side: int) -> Tensor:
        numbers = points.flatten().tolist()
        found = [number for x1, x2 in zip(numbers[::2], numbers[1::2]) for number in loss(x1, x2, side)]
        triples = points.new_tensor(found).view(*points.shape[:-1], 3)
        ctx.slopes = triples[..., 1:]
        return triples[..., 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        return upstream.unsqueeze(-1) * ctx.slopes, None


def loss(x1: float, x2: float, side: int) -> tuple[float, float, float]:
    """A loss at one point and its derivatives by x1 and x2, where `side` is 1 for the first and -1 for the second.

    max(tanh(x2 / 2), 0) * valley + max(tanh(-x2 / 2), 0) * bowl: one where x2 is large, the other where it is small. On
    the line between the loss is 0, and both count in its derivative: that of a maximum may be 0 there, which would hold
    every method at (0, 0).
    """
    weight = tanh(0.5 * x2)
    rise = 0.5 * (1 - weight * weight)
    value = by_x1 = by_x2 = 0.0
    if not x2 < 0:  # so written that what is no number goes through both
        bend = tanh(x2)
        distance = 0.5 * (x1 + 7 * side) - side * bend
        valley = log(max(abs(distance), NARROWEST)) + 6
        slope = 0.0 if abs(distance) < NARROWEST else 1 / distance
        value += weight * valley
        by_x1 += weight * 0.5 * slope
        by_x2 += rise * valley - weight * side * (1 - bend * bend) * slope
    if not x2 > 0:
        away = x1 - 7 * side
        bowl = (away * away + 0.1 * (x2 + 8) * (x2 + 8)) / 10 - 20
        value -= weight * bowl
        by_x1 -= weight * away / 5
        by_x2 -= rise * bowl + weight * (x2 + 8) / 50
    return value, by_x1, by_x2
