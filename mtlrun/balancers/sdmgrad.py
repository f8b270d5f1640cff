"""SDMGrad (Xiao, Ban & Ji 2023, arXiv:2305.18409, Algorithm 1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import GramBalancer
from mtlrun.balancers.shares import Shares
from mtlrun.errors import ConfigError
from mtlrun.linalg.min_norm import min_norm_weights
from mtlrun.linalg.nonnegative import compact
from mtlrun.linalg.simplex import project_simplex
from mtlrun.options import below, is_number, not_negative, whole


class SDMGrad(GramBalancer):
    """d = (g_w + lam g_0) / (1 + lam), where w minimises |g_w + lam g_0| on the simplex and g_0 is the mean gradient.

    With three batches a step, w is carried along and moved by projected SGD, w <- P(w - lr v) with the velocity
    v <- momentum v + J_1 J_2^T (w + lam / T), where J_1 and J_2 are the gradients on two independent batches; those on
    the third, independent of w, make up the update. With one batch, w is the exact minimiser.

    Taken from the authors' code: the factor 1 / (1 + lam), the momentum, all steps on the same two batches, and
    J_1 J_2^T divided by the square of the mean of its diagonal's roots, which makes lr independent of the gradients'
    scale. Deviation from it: negative entries of the diagonal count as zero, and nothing is added to it; if none is
    positive, w stays.

    Args:
        lam: pull towards the mean gradient; 0 is MGDA.
        batches: independent batches per step, 3 or 1.
        lr: step size of w.
        momentum: of the steps of w.
        steps: of w per training step.
    """

    def __init__(
        self, lam: float = 0.3, batches: int = 3, lr: float = 10.0, momentum: float = 0.5, steps: int = 20
    ) -> None:
        for name, value in (("lam", lam), ("lr", lr)):
            not_negative(f"balancer.{name}", value)
        below("balancer.momentum", momentum, 0, 1)
        whole("balancer.steps", steps)
        if not is_number(batches) or batches not in (1, 3):
            raise ConfigError(f"balancer.batches must be 1 or 3, found {batches!r}")
        self.lam, self.batches, self.lr, self.momentum, self.steps = lam, batches, lr, momentum, steps
        self._shares = Shares()

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        count = len(losses)
        weights = self._exact(gram) if len(gram) == count else self._moved(gram[:count, count : 2 * count], tasks)
        return (weights + self.lam / count) / (1 + self.lam)

    def _exact(self, gram: Tensor) -> Tensor:
        rows = compact(gram.numpy())
        shifted = rows.matrix + self.lam * rows.matrix.mean(0)  # w sums to 1, so the mean may join each row
        return torch.from_numpy(min_norm_weights(shifted, rows.independent))

    def _moved(self, cross: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """w after the steps on J_1 J_2^T, [T, T]."""
        weights = self._shares.get(tasks, cross)
        scale = cross.diagonal().clamp(min=0).sqrt().mean()
        if scale > 0:
            cross = cross / scale / scale
            velocity = torch.zeros_like(weights)
            for _ in range(self.steps):
                velocity = self.momentum * velocity + cross @ (weights + self.lam / len(weights))
                weights = project_simplex(weights - self.lr * velocity)
        self._shares.set(tasks, weights)
        return weights

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"shares": self._shares.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._shares.load_state_dict(state["shares"])
