"""Dual-balancing multi-task learning (Lin et al. 2023, arXiv:2308.12029, Algorithm 1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import JacobianBalancer
from mtlrun.balancers.rows_state import RowPerTask, weighted_sum
from mtlrun.balancers.state import PerTask
from mtlrun.options import below, not_negative

EPSILON = 1e-8
"""Added to the losses, as in the paper: a loss of zero has no logarithm."""


class DBMTL(JacobianBalancer):
    """Balances loss scales by the logarithm of the losses, and gradient lengths by the longest.

    g_t = gradient of log(L_t + 1e-8). Its exponential moving average y_t <- beta_k y_t + (1 - beta_k) g_t starts at
    zero, with beta_k = beta / k^beta_sigma in the k-th step of the task. The update of the shared parameters is
    max_t norm(y_t) sum_t y_t / norm(y_t); a task's own parameters follow g_t.

    Deviations: no epsilon in the norms; a task whose average is zero adds nothing. A negative loss has no logarithm:
    the gradient counts as zero. k counts the steps in which the task was active, which matters only where tasks can be
    absent.

    Args:
        beta: share of the average that a step keeps, from 0 (no averaging, and nothing is stored) to below 1.
        beta_sigma: how fast that share decays; 0 keeps it.

    Raises:
        ConfigError: for an option out of range.
    """

    def __init__(self, beta: float = 0.9, beta_sigma: float = 0.0) -> None:
        below("balancer.beta", beta, 0, 1)
        not_negative("balancer.beta_sigma", beta_sigma)
        self.beta, self.beta_sigma = beta, beta_sigma
        self.gives_weights = beta == 0  # else the averages are weighted, not the step's gradients
        self._average = RowPerTask()
        self._steps = PerTask(0.0)

    def own_weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """d log(L_t + 1e-8) / d L_t, [T]; 0 for a negative loss."""
        return torch.where(losses >= 0, 1 / (losses + EPSILON), torch.zeros_like(losses))

    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor | None, Tensor]:
        slopes = self.own_weights(losses, tasks).to(jacobian)
        if self.beta == 0:
            weights = slopes * equalising(slopes * torch.linalg.vector_norm(jacobian, dim=1))
            return weights, weights @ jacobian
        rows = self._track(jacobian, slopes, tasks)
        lengths = torch.stack([torch.linalg.vector_norm(row) for row in rows])
        return None, weighted_sum(rows, equalising(lengths))

    def _track(self, jacobian: Tensor, slopes: Tensor, tasks: tuple[str, ...]) -> list[Tensor]:
        """The averages of the tasks' rows, with this step's."""
        steps = self._steps.get(tasks, slopes) + 1
        self._steps.set(tasks, steps)
        kept = self.beta / steps**self.beta_sigma
        rows = self._average.get(tasks, jacobian)
        for average, row, keep, take in zip(rows, jacobian, kept, (1 - kept) * slopes):
            average.mul_(keep).addcmul_(row, take)
        return rows

    def state_dict(self) -> dict[str, Any]:
        return {"average": self._average.state_dict(), "steps": self._steps.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict(state["average"])
        self._steps.load_state_dict(state["steps"])


def equalising(lengths: Tensor) -> Tensor:
    """Factors [T] that bring rows of these lengths [T] to the longest; 0 for a row of zeros."""
    return torch.where(lengths > 0, lengths.max() / lengths, torch.zeros_like(lengths))
