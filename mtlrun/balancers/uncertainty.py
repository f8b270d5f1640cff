"""Uncertainty weighting (Kendall, Gal & Cipolla 2018, arXiv:1705.07115)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mtlrun.balancers.base import LossBalancer
from mtlrun.balancers.state import AdamPerTask
from mtlrun.errors import choose
from mtlrun.options import positive

FACTORS = {"regression": 0.5, "classification": 1.0}


class Uncertainty(LossBalancer):
    """total = sum_t f L_t exp(-s_t) + s_t / 2 with learned s_t = log sigma_t^2; f = 1/2 (Eq. 7) or 1 (Eq. 10).

    The weight of task t is f exp(-s_t). The gradient on s_t, 1/2 - f L_t exp(-s_t), needs no backward pass.

    Args:
        lr: learning rate of s (Adam, no weight decay).
        initial: s at the start, for every task.
        form: 'regression' for f = 1/2, 'classification' for f = 1.
    """

    weights_need_losses = False

    def __init__(self, lr: float = 0.025, initial: float = 0.0, form: str = "regression") -> None:
        positive("balancer.lr", lr)
        self.factor = FACTORS[choose(form, FACTORS, "balancer.form")]
        self.log_variance = AdamPerTask(initial, lr)

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        return self.factor * (-self.log_variance.get(tasks, losses)).exp()

    def learn(self, losses: Tensor, tasks: tuple[str, ...]) -> None:
        self.log_variance.step(tasks, 0.5 - losses * self.weights(losses, tasks))

    def state_dict(self) -> dict[str, Any]:
        return self.log_variance.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.log_variance.load_state_dict(state)
