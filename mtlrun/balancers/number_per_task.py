"""Numbers that a user gives by task name, checked where the balancer is built, made into tensors where it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtlrun.errors import ConfigError, choose
from mtlrun.options import is_number


class NumberPerTask:
    """Numbers that a user gives by task name, as in `balancer.min_losses={lane: 0.2}`.

    Args:
        option: its name in the configuration, for messages.
        given: task name -> number.
        default: the number of a task that is not named.
        above: every number must be larger than this.
        least: every number must be at least this.

    Raises:
        ConfigError: naming the task whose number is none, or too small.
    """

    def __init__(
        self,
        option: str,
        given: Mapping[str, float] | None,
        default: float,
        above: float = -float("inf"),
        least: float = -float("inf"),
    ) -> None:
        if given is not None and not isinstance(given, Mapping):
            raise ConfigError(f"balancer.{option} must map task names to numbers, found {given!r}")
        self.option = option
        self.default = default
        self.given = dict(given or {})
        self._tensors: dict[tuple[tuple[str, ...], torch.device, torch.dtype], Tensor] = {}
        bound = f" > {above:g}" if is_number(above) else f" >= {least:g}" if is_number(least) else ""
        for task, number in self.given.items():
            if not is_number(number) or number <= above or number < least:
                raise ConfigError(f"balancer.{option}.{task} must be a number{bound}, found {number!r}")

    def check(self, tasks: Sequence[str]) -> None:
        """Raise ConfigError for a name that is not among `tasks`."""
        for task in self.given:
            choose(task, tasks, f"task in balancer.{self.option} named")

    def get(self, tasks: tuple[str, ...], like: Tensor) -> Tensor:
        """The tasks' numbers [T], with the dtype and on the device of `like`."""
        key = (tasks, like.device, like.dtype)
        if key not in self._tensors:  # made once, since a copy to an accelerator would wait for it
            self._tensors[key] = like.new_tensor([self.given.get(task, self.default) for task in tasks])
        return self._tensors[key]
