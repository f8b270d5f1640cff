"""Losses in units of their own first or average value."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import LossBalancer
from mtlrun.balancers.state import PerTask
from mtlrun.errors import choose
from mtlrun.options import below


class Scale(LossBalancer):
    """total = sum_t L_t / r_t: the weight of task t is 1 / r_t.

    The reference r_t is the size of the task's first loss (`by=initial`), or the running average
    r_t <- momentum r_t + (1 - momentum) |L_t| of its losses, which starts at the first one and includes the current
    one (`by=running`). With momentum 0 the weight is 1 / |L_t|: the gradient of sum_t log L_t, the scale-invariant
    baseline of Navon et al. 2022 (arXiv:2202.01017).

    Weights are in units of 1 / loss: equal references r give every task the weight 1 / r, and the total is T at the
    references whatever the units of the losses. `rescale=sum` divides the common scale out.

    A reference of zero is none: the task has weight 1 until its first loss other than zero.

    Args:
        by: 'initial' or 'running'.
        momentum: of the running average, 0 <= momentum < 1.
    """

    def __init__(self, by: str = "initial", momentum: float = 0.99) -> None:
        below("balancer.momentum", momentum, 0, 1)
        self.momentum = 1.0 if choose(by, ("initial", "running"), "balancer.by") == "initial" else momentum
        self._reference = PerTask(0.0)

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        reference = self._including(losses, tasks)
        weights = torch.where(reference > 0, 1 / reference, 1.0)
        return weights.clamp(max=torch.finfo(losses.dtype).max)

    def learn(self, losses: Tensor, tasks: tuple[str, ...]) -> None:
        self._reference.set(tasks, self._including(losses, tasks))

    def _including(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """The references [T] with the current losses [T] taken in; a first loss is kept by a momentum of 1."""
        before, size = self._reference.get(tasks, losses), losses.abs()
        return torch.where(before > 0, self.momentum * before + (1 - self.momentum) * size, size)

    def state_dict(self) -> dict[str, Any]:
        return self._reference.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._reference.load_state_dict(state)
