"""IMTL-L (Liu et al. 2021, "Towards Impartial Multi-task Learning", ICLR, Eq. 6)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mtlrun.balancers.base import LossBalancer
from mtlrun.balancers.state import AdamPerTask
from mtlrun.options import positive

LARGEST = 40.0
"""Bound of s: a loss that stays at 0 would raise its s for ever, until exp(s) overflows."""


class LossScales:
    """Learned scales exp(s_t) that bring every exp(s_t) L_t to about 1, by descent on exp(s_t) L_t - s_t."""

    def __init__(self, lr: float) -> None:
        self._log_scale = AdamPerTask(0.0, positive("balancer.lr", lr))

    def get(self, tasks: tuple[str, ...], like: Tensor) -> Tensor:
        """exp(s) [T]."""
        return self._log_scale.get(tasks, like).exp()

    def learn(self, tasks: tuple[str, ...], losses: Tensor) -> None:
        """One step on losses [T]; the derivative on s_t is exp(s_t) L_t - 1."""
        self._log_scale.step(tasks, self.get(tasks, losses) * losses - 1)
        self._log_scale.set(tasks, self._log_scale.get(tasks, losses).clamp(-LARGEST, LARGEST))

    def state_dict(self) -> dict[str, Any]:
        return self._log_scale.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._log_scale.load_state_dict(state)


class ImtlL(LossBalancer):
    """total = sum_t exp(s_t) L_t - s_t with learned s_t, 0 at first; the weight of task t is exp(s_t).

    Deviations: Adam moves s, where the paper descends with the network's own learning rate, and s stays within 40 of 0.

    Args:
        lr: learning rate of s (Adam, no weight decay).
    """

    weights_need_losses = False

    def __init__(self, lr: float = 0.025) -> None:
        self._scales = LossScales(lr)

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        return self._scales.get(tasks, losses)

    def learn(self, losses: Tensor, tasks: tuple[str, ...]) -> None:
        self._scales.learn(tasks, losses)

    def state_dict(self) -> dict[str, Any]:
        return self._scales.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scales.load_state_dict(state)
