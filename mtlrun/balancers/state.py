"""Numbers that a balancer keeps per task: by name, growing as tasks appear, saved and loaded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class PerTask:
    """One number per task name.

    Args:
        initial: the value of a task that has not been set.
    """

    def __init__(self, initial: float) -> None:
        self.initial = initial
        self._names: tuple[str, ...] = ()
        self._values = torch.empty(0)

    def get(self, tasks: tuple[str, ...], like: Tensor) -> Tensor:
        """The tasks' values [T], with the dtype and on the device of `like`."""
        self._admit(tasks, like)
        return self._values.clone() if tasks == self._names else self._values[self._index(tasks)]

    def set(self, tasks: tuple[str, ...], values: Tensor) -> None:
        """Store values [T]."""
        self._admit(tasks, values)
        if tasks == self._names:
            self._values = values.detach().clone()
        else:
            self._values = self._values.index_copy(0, self._index(tasks), values.detach())

    def state_dict(self) -> dict[str, Any]:
        return {"names": list(self._names), "values": self._values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._names, self._values = tuple(state["names"]), state["values"].clone()

    def _admit(self, tasks: tuple[str, ...], like: Tensor) -> None:
        if tasks != self._names:
            fresh = tuple(task for task in tasks if task not in self._names)
            self._names += fresh
            self._values = torch.cat([self._values.to(like), like.new_full((len(fresh),), self.initial)])
        self._values = self._values.to(like)

    def _index(self, tasks: tuple[str, ...]) -> Tensor:
        indices = [self._names.index(task) for task in tasks]
        return torch.tensor(indices, device=self._values.device)


class AdamPerTask:
    """One learned number per task, moved by Adam (Kingma & Ba 2015) on gradients that the balancer computes.

    Kept apart from the network's optimizer: its learning rate is its own, it has no weight decay, and a task that
    is absent from a step stays untouched. As in torch.optim.Adam, with betas (0.9, 0.999) and epsilon 1e-8.
    """

    def __init__(self, initial: float, lr: float) -> None:
        self.lr = lr
        self._parts = {name: PerTask(value) for name, value in _ADAM_START.items()}
        self._parts["value"] = PerTask(initial)

    def get(self, tasks: tuple[str, ...], like: Tensor) -> Tensor:
        """The tasks' values [T]."""
        return self._parts["value"].get(tasks, like)

    def set(self, tasks: tuple[str, ...], values: Tensor) -> None:
        """Overwrite the values [T] (to project them back onto a constraint)."""
        self._parts["value"].set(tasks, values)

    def step(self, tasks: tuple[str, ...], gradients: Tensor) -> None:
        """One Adam step on gradients [T]."""
        count, first, second, value = (part.get(tasks, gradients) for part in self._ordered())
        count = count + 1
        first = first.lerp(gradients, 0.1)
        second = second.lerp(gradients * gradients, 0.001)
        scale = (second / (1 - 0.999**count)).sqrt() + 1e-8
        value = value - self.lr * first / (1 - 0.9**count) / scale
        for part, values in zip(self._ordered(), (count, first, second, value)):
            part.set(tasks, values)

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load_state_dict(state[name])

    def _ordered(self) -> list[PerTask]:
        return [self._parts[name] for name in ("count", "first", "second", "value")]


_ADAM_START = {"count": 0.0, "first": 0.0, "second": 0.0}
