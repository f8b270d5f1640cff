"""The three kinds of balancer, told apart by what they read. Shapes: T active tasks, P shared parameters.

State is kept by task name, so a task may be absent from any step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtlrun.errors import NonFiniteError
from mtlrun.linalg.gram import gram_matrix, norms


class Balancer(ABC):
    """Turns per-task losses, or their gradients on the shared parameters, into one update."""

    reads: ClassVar[str]
    """'losses', 'gram' or 'jacobian'."""

    def combine(
        self, losses: Tensor, jacobian: Tensor, tasks: Sequence[str] | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """One step of the method on given numbers, for notebooks and tests.

        Args:
            losses: [T]
            jacobian: [T, P], row t the gradient of task t on the shared parameters; float32 or float64.
            tasks: the names of the rows, '0' to 'T-1' by default.

        Returns:
            (weights [T] or None where the update is not a weighted sum, update [P]).
        """
        names = tuple(tasks) if tasks is not None else tuple(str(row) for row in range(len(losses)))
        return self._combine(losses.detach(), jacobian.detach(), names)

    @abstractmethod
    def _combine(self, losses: Tensor, jacobian: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor | None, Tensor]:
        """`combine` on detached tensors with names."""

    def check(self, tasks: Sequence[str]) -> None:  # noqa: B027 (most methods name no task)
        """Raise ConfigError for an option that names a task which is not among these; called before training."""

    def end_epoch(self) -> None:  # noqa: B027 (most methods do not count epochs)
        """Called once after the last step of each epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes from step to step: tensors and plain values only."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where `state_dict` was taken."""
        assert not state, f"{type(self).__name__} has no state"


class LossBalancer(Balancer):
    """Reads the losses and returns their weights: one backward pass of the weighted sum."""

    reads = "losses"
    weights_need_losses: ClassVar[bool] = True
    """False where the weights of a step follow from the state alone; then accumulation costs nothing extra."""

    @abstractmethod
    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """Weights [T] of this step's losses [T] (detached). Does not change the state."""

    def learn(self, losses: Tensor, tasks: tuple[str, ...]) -> None:
        """Update the state from this step's losses [T] (detached, before the step)."""

    def _combine(self, losses: Tensor, jacobian: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        weights = self.weights(losses, tasks)
        self.learn(losses, tasks)
        return weights, weights.to(jacobian) @ jacobian


class GramBalancer(Balancer):
    """Reads the Gram matrix of the per-task gradients and returns their weights: T backward passes."""

    reads = "gram"

    @abstractmethod
    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """Weights [T] from the Gram matrix [T, T] and the losses [T], all float64 on the CPU."""

    def weights(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """`solve` behind a guard.

        Raises:
            NonFiniteError: naming the task whose gradient is not finite.
        """
        check_finite(norms(gram), tasks)
        return self.solve(gram, losses.to("cpu", torch.float64), tasks)

    def _combine(self, losses: Tensor, jacobian: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        weights = self.weights(gram_matrix(jacobian), losses, tasks).to(jacobian)
        return weights, weights @ jacobian


class JacobianBalancer(Balancer):
    """Reads the per-task gradients themselves and returns the combined gradient: T backward passes."""

    reads = "jacobian"

    @abstractmethod
    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor | None, Tensor]:
        """(weights [T] or None, combined gradient [P]) from the gradients [T, P] and losses [T]."""

    def _combine(self, losses: Tensor, jacobian: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor | None, Tensor]:
        check_finite(jacobian.abs().amax(1), tasks)
        return self.direction(jacobian, losses, tasks)


def check_finite(sizes: Tensor, tasks: Sequence[str]) -> None:
    """Raise NonFiniteError for the first task whose gradient size is not finite."""
    bad = (~torch.isfinite(sizes)).nonzero().flatten().tolist()
    if bad:
        raise NonFiniteError(f"the gradient of task '{tasks[bad[0]]}' on the shared parameters is not finite")
