"""The three kinds of balancer, told apart by what they read. Shapes: T active tasks, P shared parameters.

State is kept by task name, so a task may be absent from any step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import isfinite
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtlrun.balancers.state import PerTask
from mtlrun.errors import NonFiniteError, NotConverged
from mtlrun.linalg.gram import gram_matrix


class Balancer(ABC):
    """Turns per-task losses, or their gradients on the shared parameters, into one update."""

    reads: ClassVar[str]
    """'losses', 'gram' or 'jacobian'."""
    batches: int = 1
    """Independent batches that one step takes."""
    observes: ClassVar[bool] = False
    """Whether `observe` wants the losses of the same batch after the step, at the cost of one more forward pass."""
    fallbacks: int = 0
    """Steps so far on which a solver did not converge and older weights were used."""
    guarded: int = 0
    """Steps so far on which a method's equation had no finite solution, or none that can be told from that, and a
    neighbouring one was solved."""

    def combine(
        self, losses: Tensor, jacobian: Tensor, tasks: Sequence[str] | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """One step of the method on given numbers, for notebooks and tests.

        Args:
            losses: [T]
            jacobian: [T, P], row t the gradient of task t on the shared parameters; float32 or float64. For a method
                that takes k independent batches a step also [k T, P], one batch's rows below the other's.
            tasks: the names of the rows, '0' to 'T-1' by default.

        Returns:
            (weights [T] or None where the update is not a weighted sum, update [P]).
        """
        names = tuple(tasks) if tasks is not None else tuple(str(row) for row in range(len(losses)))
        return self._combine(losses.detach(), jacobian.detach(), names)

    @abstractmethod
    def _combine(self, losses: Tensor, jacobian: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor | None, Tensor]:
        """`combine` on detached tensors with names."""

    def observe(self, losses: Tensor, tasks: Sequence[str] | None = None) -> None:  # noqa: B027 (as its docstring says)
        """Take the losses [T] of the same batch after the step; only methods with `observes` use them."""

    def own_weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor | None:
        """Weights [T] of the gradients on the tasks' own parameters, for the few gradient balancers that have any.

        `balancer.heads=weighted` puts the weights of the shared parameters' update in their place.
        """
        return None

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
        """Weights [T] from the Gram matrix [T, T] and the losses [T], all float64 on the CPU.

        With k independent batches the Gram matrix is that of their stacked rows, [k T, k T], and the weights are
        those of the last batch's rows.

        Raises:
            NotConverged: to fall back to the last good weights.
        """

    def weights(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """`solve` behind a guard: whatever the solver does, the weights [T] are finite.

        Raises:
            NonFiniteError: naming the task whose gradient is not finite.
        """
        check_finite(gram.diagonal(), tasks)
        losses = losses.to("cpu", torch.float64)
        try:
            weights = self.solve(gram, losses, tasks)
        except NotConverged:
            weights = torch.full_like(losses, torch.nan)
        if not all(map(isfinite, weights.tolist())):
            self.fallbacks += 1
            return self._good().get(tasks, losses)
        self._good().set(tasks, weights)
        return weights

    def _combine(self, losses: Tensor, jacobian: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        weights = self.weights(gram_matrix(jacobian), losses, tasks).to(jacobian)
        return weights, weights @ jacobian[-len(tasks) :]

    def state_dict(self) -> dict[str, Any]:
        """Methods with a state of their own add it to this one."""
        return {"last_good": self._good().state_dict(), "fallbacks": self.fallbacks, "guarded": self.guarded}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._good().load_state_dict(state["last_good"])
        self.fallbacks = state["fallbacks"]
        self.guarded = state.get("guarded", 0)  # not there in older checkpoints

    def _good(self) -> PerTask:
        """The last weights that a solve gave; equal ones before the first. Made at first use, so that methods need no
        `super().__init__()`."""
        if self._last_good is None:
            self._last_good = PerTask(1.0)
        return self._last_good

    _last_good: PerTask | None = None


class JacobianBalancer(Balancer):
    """Reads the per-task gradients themselves and returns the combined gradient: T backward passes."""

    reads = "jacobian"
    gives_weights: bool = True
    """False where the update is no weighted sum of the step's gradients, so that nothing else can be weighted alike."""

    @abstractmethod
    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor | None, Tensor]:
        """(weights [T] or None, combined gradient [P]) from the gradients [T, P] and losses [T].

        None if and only if `gives_weights` is False.
        """

    def _combine(self, losses: Tensor, jacobian: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor | None, Tensor]:
        check_finite(jacobian.abs().amax(1), tasks)
        return self.direction(jacobian, losses, tasks)


def check_finite(sizes: Tensor, tasks: Sequence[str]) -> None:
    """Raise NonFiniteError for the first task whose gradient size is not finite; sizes [k T] for k batches."""
    bad = next((row for row, size in enumerate(sizes.tolist()) if not isfinite(size)), None)
    if bad is not None:
        task = tasks[bad % len(tasks)]
        raise NonFiniteError(f"the gradient of task '{task}' on the shared parameters is not finite")
