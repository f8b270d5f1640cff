"""GradVac, gradient vaccine (Wang et al. 2020, arXiv:2010.05874, Algorithm 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlrun.balancers.base import GramBalancer
from mtlrun.balancers.per_pair import PerPair
from mtlrun.linalg.unit import RESOLUTION, Array, unit_rows
from mtlrun.options import number

LARGEST_TARGET = 1 - 1e-6
"""Bound of a target cosine's size; at 1 itself, which identical gradients approach, the correction is infinite."""


class GradVac(GramBalancer):
    """As PCGrad, but brings the cosine of two gradients to a target of their own, and sums the results.

    Gradient i visits the others in random order. Where the cosine phi of its present form and gradient j is below the
    target phi'_ij, a g_j + g_i takes its place, with cosine phi'_ij:
    a = norm(g_i) (phi' sqrt(1 - phi^2) - phi sqrt(1 - phi'^2)) / (norm(g_j) sqrt(1 - phi'^2)). Either way the target
    moves: phi'_ij = (1 - beta) phi'_ij + beta phi, from 0 on.

    Deviations: one target per ordered pair for all shared parameters together, where the paper also keeps them per
    layer; targets count as at most 1 - 1e-6; a pair with a zero gradient has no cosine and keeps its target, and the
    zero gradient its weight 1.

    Args:
        beta: share of the newest cosine in the target, from 0 to 1.
        seed: of the random orders.
    """

    def __init__(self, beta: float = 1e-2, seed: int = 0) -> None:
        number("balancer.beta", beta, 0, 1)
        self.beta = beta
        self._generator = torch.Generator().manual_seed(seed)
        self._targets = PerPair(0.0)

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        rows = unit_rows(gram.numpy())
        names = tuple(task for task, live in zip(tasks, rows.live) if live)
        targets = self._targets.get(names).numpy()
        orders = self._orders(tasks)[np.ix_(rows.live, rows.live)].argsort(1)[:, 1:]
        coefficients = vaccinate(rows.gram, targets, orders, self.beta)
        self._targets.set(names, torch.from_numpy(targets))
        return torch.from_numpy(rows.spread(rows.lengths @ coefficients / rows.lengths) + ~rows.live)

    def _orders(self, tasks: tuple[str, ...]) -> Array:
        """Keys [T, T] that sort each task's visits; it comes first itself. Drawn by name, whatever the rows' order."""
        draws = torch.rand(len(tasks), len(tasks), generator=self._generator, dtype=torch.float64).fill_diagonal_(-1)
        indices = np.argsort(np.argsort(tasks))
        return draws.numpy()[np.ix_(indices, indices)]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "generator": self._generator.get_state(),
            "targets": self._targets.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._generator.set_state(state["generator"])
        self._targets.load_state_dict(state["targets"])


def vaccinate(unit: Array, targets: Array, orders: NDArray[np.intp], beta: float) -> Array:
    """The corrected unit gradients [R, R], row i in terms of all; `targets` [R, R] move in place.

    All rows take their k-th visit at once, as no row depends on another's corrections.

    Args:
        unit: Gram matrix of the unit gradients.
        orders: [R, R - 1], row i the others in the order of i's visits.
    """
    rows = np.arange(len(unit))
    coefficients = np.eye(len(unit))
    for others in orders.T:
        inner = coefficients @ unit
        squares = (inner * coefficients).sum(1)
        nonzero = squares > len(unit) * RESOLUTION * np.square(coefficients).sum(1)
        length = np.sqrt(np.where(nonzero, squares, 1.0))
        cosine = np.clip(inner[rows, others] / length, -1.0, 1.0)
        target = np.clip(targets[rows, others], -LARGEST_TARGET, LARGEST_TARGET)
        wanted = length * (target * np.sqrt((1 - cosine**2) / (1 - target**2)) - cosine)
        coefficients[rows, others] += np.where(nonzero & (cosine < target), wanted, 0.0)
        targets[rows, others] += np.where(nonzero, beta * (cosine - targets[rows, others]), 0.0)
    return coefficients
