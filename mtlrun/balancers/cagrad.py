"""CAGrad (Liu, Liu, Jin, Stone & Liu 2021, arXiv:2110.14048, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mtlrun.balancers.base import GramBalancer
from mtlrun.errors import choose
from mtlrun.linalg.max_min import max_min_weights
from mtlrun.linalg.nonnegative import compact
from mtlrun.options import not_negative

SHRINK: dict[str, Callable[[float, int], float]] = {
    "none": lambda c, tasks: 1.0,
    "linear": lambda c, tasks: 1 / (1 + c),
    "square": lambda c, tasks: 1 / (1 + c * c),
    "square_sum": lambda c, tasks: tasks / (1 + c * c),
}
"""Factor on the update, from c and the number of active tasks."""


class CAGrad(GramBalancer):
    """d = g_0 + c |g_0| g_w / |g_w|: of all d with |d - g_0| <= c |g_0|, the one with the largest min_i g_i . d.

    g_0 is the mean gradient, and w minimises g_w . g_0 + c |g_0| |g_w| on the simplex. We solve for d, of which w is
    the dual, since that stays well posed where g_w vanishes: then the paper's formula gives no d, and ours is the
    projection of g_0 on the directions that oppose no task.

    Args:
        c: radius of the ball relative to |g_0|; 0 is the mean gradient. The paper's guarantees hold for c < 1.
        shrink: 'none' as in the paper, or the factor of the authors' code: 'linear' for d / (1 + c), as in its toy
            problem, 'square' for d / (1 + c^2), and 'square_sum' for T d / (1 + c^2), which is what its networks are
            trained with: T times the mean gradient is the sum.
    """

    def __init__(self, c: float = 0.5, shrink: str = "none") -> None:
        not_negative("balancer.c", c)
        self.c = c
        self.shrink = SHRINK[choose(shrink, SHRINK, "balancer.shrink")]

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        correction = max_min_weights(compact(gram.numpy()), self.c)
        return torch.from_numpy(self.shrink(self.c, len(gram)) * (1 / len(gram) + correction))
