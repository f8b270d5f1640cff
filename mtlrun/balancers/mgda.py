"""MGDA for multi-task learning (Sener & Koltun 2018, arXiv:1810.04650; Desideri 2012)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mtlrun.balancers.base import GramBalancer
from mtlrun.errors import choose
from mtlrun.linalg.min_norm import min_norm_weights
from mtlrun.linalg.nonnegative import EPSILON, Array, CompactRows, compact

NORMALIZATIONS = ("none", "l2", "loss", "loss+")


class MGDA(GramBalancer):
    """The shortest vector in the convex hull of the gradients; it opposes no task, and is zero at a Pareto optimum.

    Deviations: solved exactly, not by Frank-Wolfe steps. A loss enters `normalization` by its size, since dividing by
    a negative one would turn its gradient around.

    Args:
        normalization: what the gradients are divided by to find the weights, which then multiply the raw gradients, as
            in the authors' code: 'none', 'l2' (their norms), 'loss' (the losses) or 'loss+' (both).
    """

    def __init__(self, normalization: str = "none") -> None:
        self.normalization = choose(normalization, NORMALIZATIONS, "balancer.normalization")

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        rows = compact(gram.numpy())
        scaled = self._lengths(rows, losses.numpy())[:, None] * rows.units
        return torch.from_numpy(min_norm_weights(scaled, rows.independent))

    def _lengths(self, rows: CompactRows, losses: Array) -> Array:
        """Of the normalised gradients, [T]. A loss of zero counts as the rounding of the largest."""
        lengths = rows.lengths if self.normalization in ("none", "loss") else (rows.lengths > 0).astype(float)
        if self.normalization in ("none", "l2") or not losses.any():
            return lengths
        sizes = np.abs(losses)
        return lengths / sizes.clip(min=EPSILON * sizes.max())
