"""Fixed weights; all ones is the plain sum that every report compares with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtlrun.balancers.base import LossBalancer
from mtlrun.errors import ConfigError, choose


class Fixed(LossBalancer):
    """total = sum_t w_t L_t with given w.

    Args:
        task_weights: task name -> weight >= 0; a task that is not named has weight 1.

    Raises:
        ConfigError: for a weight that is negative or no number.
    """

    weights_need_losses = False

    def __init__(self, task_weights: Mapping[str, float] | None = None) -> None:
        self.task_weights = dict(task_weights or {})
        self._on_device: dict[tuple[tuple[str, ...], torch.device, torch.dtype], Tensor] = {}
        for task, weight in self.task_weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
                raise ConfigError(f"balancer.task_weights.{task} must be a number >= 0, found {weight!r}")

    def check(self, tasks: Sequence[str]) -> None:
        for task in self.task_weights:
            choose(task, tasks, "task in balancer.task_weights named")

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        key = (tasks, losses.device, losses.dtype)
        if key not in self._on_device:  # made once, since a copy to an accelerator would wait for it
            self._on_device[key] = losses.new_tensor([self.task_weights.get(task, 1.0) for task in tasks])
        return self._on_device[key]
