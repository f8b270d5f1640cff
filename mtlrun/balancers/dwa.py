"""Dynamic weight average (Liu, Johns & Davison 2019, arXiv:1803.10704, Eq. 7)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import LossBalancer
from mtlrun.balancers.state import PerTask
from mtlrun.errors import ConfigError


class DWA(LossBalancer):
    """w = T softmax(r / temperature), r_t = L_t(epoch - 1) / L_t(epoch - 2) of the epochs' mean losses.

    Ones in the first two epochs. A task without a loss in one of the two epochs counts as unchanged, r = 1.

    Args:
        temperature: larger is closer to equal weights.
    """

    weights_need_losses = False

    def __init__(self, temperature: float = 2.0) -> None:
        if not temperature > 0:
            raise ConfigError(f"balancer.temperature must be positive, found {temperature}")
        self.temperature = temperature
        self._parts = {
            "ratio": PerTask(1.0),
            "previous": PerTask(float("nan")),
            "sum": PerTask(0.0),
            "steps": PerTask(0.0),
        }
        self._seen: list[str] = []
        self._epochs = 0

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        if self._epochs < 2:
            return torch.ones_like(losses)
        ratio = self._parts["ratio"].get(tasks, losses)
        return len(tasks) * torch.softmax(ratio / self.temperature, 0)

    def learn(self, losses: Tensor, tasks: tuple[str, ...]) -> None:
        self._seen += [task for task in tasks if task not in self._seen]
        for part, amount in (("sum", losses), ("steps", torch.ones_like(losses))):
            self._parts[part].set(tasks, self._parts[part].get(tasks, losses) + amount)

    def end_epoch(self) -> None:
        self._epochs += 1
        if not self._seen:
            return
        tasks, like = tuple(self._seen), self._parts["sum"]._values
        total, steps, previous = (self._parts[part].get(tasks, like) for part in ("sum", "steps", "previous"))
        mean = torch.where(steps > 0, total / steps, torch.nan)
        ratio = mean / previous
        self._parts["ratio"].set(tasks, torch.where(torch.isfinite(ratio), ratio, torch.ones_like(ratio)))
        self._parts["previous"].set(tasks, mean)
        for part in ("sum", "steps"):
            self._parts[part].set(tasks, torch.zeros_like(mean))

    def state_dict(self) -> dict[str, Any]:
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        return {"parts": parts, "seen": list(self._seen), "epochs": self._epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._seen, self._epochs = list(state["seen"]), state["epochs"]
        for name, part in self._parts.items():
            part.load_state_dict(state["parts"][name])
