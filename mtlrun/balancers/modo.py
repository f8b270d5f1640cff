"""MoDo (Chen, Fernando, Ying & Chen 2023, arXiv:2305.20057): multi-objective gradient with double sampling."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mtlrun.balancers.base import GramBalancer
from mtlrun.balancers.shares import Shares
from mtlrun.errors import ConfigError
from mtlrun.linalg.simplex import project_simplex
from mtlrun.options import is_number, not_negative


class MoDo(GramBalancer):
    """Carries weights on the simplex along and moves them by one projected gradient step on |w @ J|^2 / 2 a step.

    w <- P(w - gamma (J_1 J_2^T w + rho w)) with the gradients J_1, J_2 on two independent batches, so that the step is
    unbiased; the new w multiplies the gradients on a third. With one batch a step, it stands for all three.

    A third batch, as in LibMTL, keeps the update independent of w. Deviation: the journal version (JMLR 25, 2024) makes
    the update from the mean of the first two batches, and the authors' code from their sum.

    The step depends on the gradients' scale, as in the paper: gamma has to suit it.

    Args:
        gamma: step size of w.
        rho: strength of the pull towards equal weights.
        batches: independent batches per step, 3 or 1.
    """

    def __init__(self, gamma: float = 0.1, rho: float = 0.1, batches: int = 3) -> None:
        for name, value in (("gamma", gamma), ("rho", rho)):
            not_negative(f"balancer.{name}", value)
        if not is_number(batches) or batches not in (1, 3):
            raise ConfigError(f"balancer.batches must be 1 or 3, found {batches!r}")
        self.gamma, self.rho, self.batches = gamma, rho, batches
        self._shares = Shares()

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        count = len(losses)
        cross = gram if len(gram) == count else gram[:count, count : 2 * count]
        weights = self._shares.get(tasks, losses)
        weights = project_simplex(weights - self.gamma * (cross @ weights + self.rho * weights))
        self._shares.set(tasks, weights)
        return weights

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"shares": self._shares.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._shares.load_state_dict(state["shares"])
