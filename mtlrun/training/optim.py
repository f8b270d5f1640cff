"""Parameter groups and learning-rate schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mtlrun.errors import ConfigError, choose
from mtlrun.training.model import MultiTaskModel


def parameter_groups(model: MultiTaskModel, head_lr: Mapping[str, float]) -> list[dict[str, Any]]:
    """One group per task with a learning rate of its own (its head), and one for everything else.

    Args:
        head_lr: task name -> learning rate of its head.

    Raises:
        ConfigError: for an unknown task or a rate that is no positive number.
    """
    groups: list[dict[str, Any]] = []
    taken: set[int] = set()
    for task, lr in head_lr.items():
        choose(task, model.tasks, "task in optimizer.head_lr named")
        if isinstance(lr, bool) or not isinstance(lr, int | float) or not lr >= 0:
            raise ConfigError(f"optimizer.head_lr.{task} must be a number >= 0, found {lr!r}")
        head = trainable(model.head(task))
        taken |= {id(parameter) for parameter in head}
        groups.append({"params": head, "lr": float(lr)})
    rest = [parameter for parameter in trainable(model) if id(parameter) not in taken]
    groups.insert(0, {"params": rest})
    return [group for group in groups if group["params"]]


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """Parameters that are not frozen."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


class Schedule:
    """A torch scheduler that is advanced each step or each evaluated epoch.

    Args:
        scheduler: from torch.optim.lr_scheduler; None keeps the rates.
        interval: 'step' or 'epoch'.
    """

    def __init__(self, scheduler: Any | None, interval: str = "step") -> None:
        self.scheduler = scheduler
        self.interval = choose(interval, ("step", "epoch"), "scheduler.interval")
        self._wants_score = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
        if self._wants_score and interval == "step":
            raise ConfigError("scheduler.interval=step: ReduceLROnPlateau follows the validation score, choose epoch")

    def after_step(self) -> None:
        if self.scheduler is not None and self.interval == "step":
            self.scheduler.step()

    def after_epoch(self, score: float | None) -> None:
        """`score` is the validation score, higher is better; None if this epoch was not evaluated."""
        if self.scheduler is None or self.interval != "epoch":
            return
        if not self._wants_score:
            self.scheduler.step()
        elif score is not None:
            self.scheduler.step(score)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.scheduler is None else self.scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state)
