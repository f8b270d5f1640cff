"""GradNorm (Chen et al. 2018, arXiv:1711.02257, Algorithm 1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import GramBalancer
from mtlrun.balancers.state import AdamPerTask, PerTask
from mtlrun.linalg.gram import norms
from mtlrun.options import positive

SMALLEST_WEIGHT = 1e-6


class GradNorm(GramBalancer):
    """Learns weights w_t that bring norm(w_t g_t) to mean_t norm(w_t g_t) times r_t^alpha.

    r_t = (L_t / L_t at the task's first step) / mean over tasks is the relative inverse training rate. The weights
    descend sum_t |norm(w_t g_t) - target_t| with the target held constant (Eq. 2), and are then renormalised to keep
    their sum, T. The step itself uses the weights from before their update, as in Algorithm 1.

    Deviations: Adam moves w (the paper does not name its optimizer), and w stays above 1e-6.

    Args:
        alpha: strength of the pull towards equal training rates; 0 asks for equal norms.
        lr: learning rate of the weights.
    """

    def __init__(self, alpha: float = 1.5, lr: float = 0.025) -> None:
        positive("balancer.lr", lr)
        self.alpha = alpha
        self._weight = AdamPerTask(1.0, lr)
        self._first_loss = PerTask(float("nan"))

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        weights = self._weight.get(tasks, losses)
        self._weight.step(tasks, self._gradient(weights, norms(gram), self._inverse_rate(losses, tasks)))
        moved = self._weight.get(tasks, losses).clamp(min=SMALLEST_WEIGHT)
        self._weight.set(tasks, moved * weights.sum() / moved.sum())
        return weights

    def _gradient(self, weights: Tensor, lengths: Tensor, inverse_rate: Tensor) -> Tensor:
        """Of sum_t |w_t n_t - target_t| on w, [T]."""
        weighted = weights * lengths
        target = weighted.mean() * inverse_rate**self.alpha
        return torch.sign(weighted - target) * lengths

    def _inverse_rate(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        first = self._first_loss.get(tasks, losses)
        first = torch.where(torch.isnan(first), losses, first)
        self._first_loss.set(tasks, first)
        progress = torch.where(first > 0, losses / first, torch.ones_like(first))
        return progress / progress.mean() if progress.mean() > 0 else torch.ones_like(progress)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"weight": self._weight.state_dict(), "first_loss": self._first_loss.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._weight.load_state_dict(state["weight"])
        self._first_loss.load_state_dict(state["first_loss"])
