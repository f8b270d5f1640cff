"""FAMO (Liu, Feng, Stone & Liu 2023, arXiv:2306.03792, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import LossBalancer
from mtlrun.balancers.number_per_task import NumberPerTask
from mtlrun.balancers.state import AdamPerTask, PerTask
from mtlrun.options import not_negative, positive


class FAMO(LossBalancer):
    """Gives more weight to tasks whose log loss falls slower, measured on the batch that was just trained on.

    With z = softmax(xi) over the active tasks and D_t = L_t - b_t + epsilon, total = c sum_t z_t log D_t, where the
    factor c = 1 / sum_t (z_t / D_t) is held constant: w_t = c z_t / D_t, and the weights add up to 1. After the step
    `observe` takes the losses L' of the same batch, and Adam descends sum_t z_t (log D_t - log D'_t) in xi, with
    gamma xi added to the gradient: a task that gained more than the others loses weight.

    Deviations: Adam, as in the authors' code, where the paper writes a plain gradient step. The code has gamma 1e-2,
    1e-3 or 1e-5, depending on the file; here it is 1e-3. Its clipping of the shared gradient at norm
    1, which in the experiments comes before the backward pass and so never acts, is left to `trainer.clip_norm`. A loss
    below its bound b_t counts as equal to it; such a task takes nearly all the weight of the step.

    Args:
        lr: learning rate of xi.
        gamma: decay of xi towards equal logits.
        min_losses: task name -> lower bound b_t of its loss; 0 for the others.
        epsilon: keeps the logarithm finite; to be far below every loss.
    """

    observes = True

    def __init__(
        self,
        lr: float = 0.025,
        gamma: float = 1e-3,
        min_losses: Mapping[str, float] | None = None,
        epsilon: float = 1e-8,
    ) -> None:
        not_negative("balancer.gamma", gamma)
        self.gamma = gamma
        self.epsilon = positive("balancer.epsilon", epsilon)
        self._min_losses = NumberPerTask("min_losses", min_losses, 0.0)
        self._logits = AdamPerTask(0.0, positive("balancer.lr", lr))
        self._before = PerTask(0.0)
        self._tasks: tuple[str, ...] = ()

    def check(self, tasks: Sequence[str]) -> None:
        self._min_losses.check(tasks)

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        logits = self._logits.get(tasks, losses)
        return torch.softmax(logits - self._log_distance(losses, tasks), 0)

    def learn(self, losses: Tensor, tasks: tuple[str, ...]) -> None:
        self._before.set(tasks, self._log_distance(losses, tasks))
        self._tasks = tasks

    def observe(self, losses: Tensor, tasks: Sequence[str] | None = None) -> None:
        """Update xi by the losses [T] of the last step's batch, computed after the step.

        Args:
            losses: [T]
            tasks: their names; by default the tasks of the last step, whose losses they are compared with.
        """
        names = self._tasks if tasks is None else tuple(tasks)
        assert names, "observe() before the first step"
        assert set(names) <= set(self._tasks), "observe() with a task that was not in the last step"
        losses = losses.detach()
        change = self._before.get(names, losses) - self._log_distance(losses, names)
        logits = self._logits.get(names, losses)
        shares = torch.softmax(logits, 0)
        self._logits.step(names, shares * (change - shares @ change) + self.gamma * logits)

    def _log_distance(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """log D [T]."""
        return ((losses - self._min_losses.get(tasks, losses)).clamp(min=0) + self.epsilon).log()

    def state_dict(self) -> dict[str, Any]:
        return {"logits": self._logits.state_dict(), "before": self._before.state_dict(), "tasks": list(self._tasks)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._logits.load_state_dict(state["logits"])
        self._before.load_state_dict(state["before"])
        self._tasks = tuple(state["tasks"])
