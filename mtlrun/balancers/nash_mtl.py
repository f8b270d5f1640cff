"""Nash-MTL (Navon et al. 2022, arXiv:2202.01017, Claim 3.1 and Algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from mtlrun.balancers.base import GramBalancer
from mtlrun.linalg.fair import fair_solution
from mtlrun.options import positive


class NashMTL(GramBalancer):
    """Weighs the gradients by the Nash bargaining solution, the w > 0 with G w = 1/w elementwise.

    Every task then has the same share w_t (g_t . update) = 1 in the squared norm of the update, T. The weights do not
    depend on the scale of any loss. At a stationary point see `fair_solution`; a task without a gradient has weight 0.

    Deviations: a convex Newton method finds the exact solution at every step, where the authors approximate it by a
    few linearised problems from the last weights on. Their solver sees G divided by its Frobenius norm, and takes the
    division back in its constraints, so that the update is the paper's whatever the scale of the gradients; then
    their code clips it at norm 1, which max_norm=1 does.

    Args:
        max_norm: shortens an update that is longer than this; None to leave it (its norm is sqrt T).
    """

    def __init__(self, max_norm: float | None = None) -> None:
        self.max_norm = None if max_norm is None else positive("balancer.max_norm", max_norm)

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        found = fair_solution(gram.numpy(), 1.0)
        self.guarded += found.guarded
        weights = torch.from_numpy(found.weights)
        if self.max_norm is None:
            return weights
        length = float((weights @ gram @ weights).clamp(min=0).sqrt())
        return weights * min(1.0, self.max_norm / length) if length > 0 else weights
