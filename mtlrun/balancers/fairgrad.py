"""FairGrad (Ban & Ji 2024, arXiv:2402.15638, Eq. 4 and Algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from mtlrun.balancers.base import GramBalancer
from mtlrun.linalg.fair import fair_solution
from mtlrun.options import positive


class FairGrad(GramBalancer):
    """Weighs the gradients by alpha-fair bargaining, the w > 0 with G w = w^(-1/alpha) elementwise.

    alpha = 1 is Nash-MTL. A larger alpha gives more to the task that gains least, and the limit 0 is the plain sum.
    Scaling all gradients by s scales the update by s^((1 - alpha)/(1 + alpha)). At a stationary point see
    `fair_solution`; a task without a gradient has weight 0.

    Deviations: a convex Newton method finds the exact solution, where the authors call a general least-squares solver;
    their code clips the update at norm 1, which is left to `trainer.clip_norm`.

    Args:
        alpha: kind of fairness, > 0. Outside 0.1 to 10 the weights of gradients that differ by many orders of magnitude
            may be beyond double precision; such a step uses the last good ones.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = positive("balancer.alpha", alpha)

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        found = fair_solution(gram.numpy(), 1 / self.alpha)
        self.guarded += found.guarded
        return torch.from_numpy(found.weights)
