"""Fixed weights; all ones is the plain sum that every report compares with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from mtlrun.balancers.base import LossBalancer
from mtlrun.balancers.number_per_task import NumberPerTask


class Fixed(LossBalancer):
    """total = sum_t w_t L_t with given w.

    Args:
        task_weights: task name -> weight >= 0; a task that is not named has weight 1.

    Raises:
        ConfigError: for a weight that is negative or no number.
    """

    weights_need_losses = False

    def __init__(self, task_weights: Mapping[str, float] | None = None) -> None:
        self.task_weights = NumberPerTask("task_weights", task_weights, 1.0, least=0.0)

    def check(self, tasks: Sequence[str]) -> None:
        self.task_weights.check(tasks)

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        return self.task_weights.get(tasks, losses)
