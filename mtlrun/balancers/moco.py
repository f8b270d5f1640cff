"""Multi-objective gradient correction (Fernando et al. 2023, arXiv:2210.12624, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import JacobianBalancer
from mtlrun.balancers.rows_state import RowPerTask, weighted_sum
from mtlrun.balancers.shares import Shares
from mtlrun.balancers.state import PerTask
from mtlrun.errors import ConfigError, choose
from mtlrun.linalg.gram import gram_matrix
from mtlrun.linalg.simplex import project_simplex
from mtlrun.options import is_number, not_negative

CHUNK = 1 << 22
"""Columns of the tracked gradients that are stacked at once for their Gram matrix."""


class MoCo(JacobianBalancer):
    """Weights on the simplex, moved towards the min-norm point of gradients that are tracked over the steps.

    In the k-th step the tracked gradients, zero at first, become y_t + beta_k (g_t - y_t); the weights, equal at first,
    then become the projection on the simplex of w - gamma_k (Y Y^T w + rho w). The update is sum_t w_t y_t.
    beta_k = beta / k^beta_sigma and gamma_k = gamma / k^gamma_sigma, with the values of the authors' code.

    gamma is an absolute step size, so the weights depend on the scale of the gradients. Deviations: the paper's
    projection of y_t on a ball of a radius that nobody knows is left out, as in the authors' code. Absent tasks keep
    their share of the weights, and k counts a task's own steps where its gradient is tracked.

    Args:
        beta: step size of the tracked gradients, above 0 up to 1.
        beta_sigma: its decay.
        gamma: step size of the weights.
        gamma_sigma: its decay.
        rho: pull of the weights towards equal ones.
        update: 'tracked' combines the tracked gradients, as the paper and the authors' code do; 'raw' those of this
            step, sum_t w_t g_t, so that there are weights to report and to multiply heads by.

    Raises:
        ConfigError: for an option out of range.
    """

    def __init__(
        self,
        beta: float = 0.1,
        beta_sigma: float = 0.5,
        gamma: float = 0.1,
        gamma_sigma: float = 0.5,
        rho: float = 0.0,
        update: str = "tracked",
    ) -> None:
        if not is_number(beta) or not 0 < beta <= 1:
            raise ConfigError(f"balancer.beta must be a number above 0 and up to 1, found {beta!r}")
        for name, value in (("beta_sigma", beta_sigma), ("gamma_sigma", gamma_sigma), ("gamma", gamma), ("rho", rho)):
            not_negative(f"balancer.{name}", value)
        self.beta, self.beta_sigma = beta, beta_sigma
        self.gamma, self.gamma_sigma, self.rho = gamma, gamma_sigma, rho
        self.update = choose(update, ("tracked", "raw"), "balancer.update")
        self.gives_weights = update == "raw"
        self._tracked = RowPerTask()
        self._seen, self._shares = PerTask(0.0), Shares()
        self._steps = 0

    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor | None, Tensor]:
        rows = self._track(jacobian, tasks)
        weights = self._move(gram_of(rows), tasks).to(jacobian)
        if self.update == "raw":
            return weights, weights @ jacobian
        return None, weighted_sum(rows, weights)

    def _track(self, jacobian: Tensor, tasks: tuple[str, ...]) -> list[Tensor]:
        seen = self._seen.get(tasks, jacobian) + 1
        self._seen.set(tasks, seen)
        rows = self._tracked.get(tasks, jacobian)
        for tracked, row, share in zip(rows, jacobian, self.beta / seen**self.beta_sigma):
            tracked.lerp_(row, share)
        return rows

    def _move(self, gram: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """One projected step of the active tasks' weights [T]; what they hold together stays as it is."""
        self._steps += 1
        weights = self._shares.get(tasks, gram)
        slope = gram @ weights + self.rho * weights
        weights = project_simplex(weights - self.gamma / self._steps**self.gamma_sigma * slope)
        self._shares.set(tasks, weights)
        return weights

    def state_dict(self) -> dict[str, Any]:
        numbers = {"steps": self._steps, "seen": self._seen.state_dict(), "shares": self._shares.state_dict()}
        return numbers | {"tracked": self._tracked.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._steps = state["steps"]
        self._tracked.load_state_dict(state["tracked"])
        self._seen.load_state_dict(state["seen"])
        self._shares.load_state_dict(state["shares"])


def gram_of(rows: Sequence[Tensor]) -> Tensor:
    """Gram matrix [T, T] of T separate rows [P], float64 on the CPU."""
    parts = zip(*(row.split(CHUNK) for row in rows))
    return torch.stack([gram_matrix(torch.stack(part)) for part in parts]).sum(0)
