"""From per-task losses to `.grad`: the one place that decides which backward passes a step takes.

| balancer reads | passes through the shared part |
| --- | --- |
| losses | one, of the weighted sum |
| gram or jacobian | one per task; with `every=k` only at each k-th step, in between one with held weights |
| gram of the last shared stage | one per task down to that stage, and one of the weighted sum |

A step that is measured for the diagnostics takes one pass per task for any balancer, and no other: the update is
combined from the measured rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.balancers.base import Balancer, GramBalancer, LossBalancer
from mtlrun.gradients.passes import HeldWeights, Parts, Pass, PerTask, SeenOnly, Step, WeightedSum
from mtlrun.gradients.rows import GradientRows


@dataclass
class Trace:
    """What one step computed. losses and weights [T] stay on their device; gram [T, T] is on the CPU.

    weights: None where the update is not a weighted sum; gram: None where no per-task gradients were taken.
    """

    tasks: tuple[str, ...]
    losses: Tensor
    weights: Tensor | None
    gram: Tensor | None


class Engine:
    """Fills `.grad` from the losses of one step, which may come in several micro-batches.

    Loss balancers weigh the shared parameters and the tasks' own alike. Gram and jacobian balancers change the update
    of the shared parameters only; a task's own parameters get the unscaled gradient of their task.

    Args:
        shared: parameters that influence two tasks or more.
        own: per task the parameters that influence it alone.
        balancer: of any kind.
        every: steps between two solves of a gram balancer.
        seen: the shared parameters whose gradients a gram balancer sees; None for all.
    """

    def __init__(
        self,
        shared: Sequence[nn.Parameter],
        own: Mapping[str, Sequence[nn.Parameter]],
        balancer: Balancer,
        every: int = 1,
        seen: Sequence[nn.Parameter] | None = None,
    ) -> None:
        self.parts = Parts(
            trainable(shared),
            {task: trainable(parameters) for task, parameters in own.items()},
            None if seen is None else trainable(seen),
        )
        self.balancer = balancer
        self.every = every
        self._rows = GradientRows(self.parts.shared)
        self._held: dict[str, float] = {}
        self._steps_since_solve = 0

    def begin(self, tasks: Sequence[str], micro_batches: int = 1, measure: bool = False, scale: float = 1.0) -> None:
        """Start a step.

        Args:
            tasks: those with a labelled row in the step.
            micro_batches: number of `backward` calls that follow; their losses add up to the step's.
            measure: compute the Gram matrix for the diagnostics, whatever the balancer reads.
            scale: factor on every loss in the backward passes (mixed precision); `.grad` keeps it.
        """
        self._step = Step(tuple(tasks), scale, micro_batches)
        self._pass = self._choose(measure and bool(self.parts.shared))
        self._losses: Tensor | None = None

    def backward(self, losses: Mapping[str, Tensor]) -> None:
        """Backward passes of one micro-batch; a task without a row in it has no loss here."""
        like = next(iter(losses.values()))
        present = [losses[task].detach() if task in losses else like.new_zeros(()) for task in self._step.tasks]
        values = torch.stack(present)
        self._losses = values if self._losses is None else self._losses + values
        self._pass.backward(losses)

    def finish(self) -> Trace:
        """Complete `.grad`, and let the balancer learn from the step's losses."""
        assert self._losses is not None, "finish() before backward()"
        tasks = self._step.tasks
        weights, gram = self._pass.finish(self._losses)
        if isinstance(self.balancer, LossBalancer):
            self.balancer.learn(self._losses, tasks)
        elif self.every > 1:
            self._hold(tasks, weights)
        return Trace(tasks, self._losses, weights, gram)

    def state_dict(self) -> dict[str, Any]:
        return {"held": dict(self._held), "steps_since_solve": self._steps_since_solve}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._held, self._steps_since_solve = dict(state["held"]), state["steps_since_solve"]

    def gram_is_free(self) -> bool:
        """Whether the balancer's own steps compute the Gram matrix of all shared parameters."""
        return isinstance(self.balancer, GramBalancer) and self.parts.seen is None

    def _choose(self, measure: bool) -> Pass:
        step, parts, balancer = self._step, self.parts, self.balancer
        if isinstance(balancer, LossBalancer):
            late = step.micro_batches > 1 and balancer.weights_need_losses  # weights are known only after all of them
            one_pass = not (measure or late)
            return WeightedSum(step, balancer) if one_pass else PerTask(step, parts, balancer, self._rows, measure)
        if self._holds(step.tasks):
            return HeldWeights(step, parts, self._held)
        if isinstance(balancer, GramBalancer) and parts.seen is not None and step.micro_batches == 1 and not measure:
            return SeenOnly(step, parts, balancer)
        return PerTask(step, parts, balancer, self._rows, measure)

    def _holds(self, tasks: tuple[str, ...]) -> bool:
        """Whether this step lies between two solves and every active task has a weight from before."""
        return self._steps_since_solve % self.every != 0 and all(task in self._held for task in tasks)

    def _hold(self, tasks: tuple[str, ...], weights: Tensor | None) -> None:
        if isinstance(self._pass, HeldWeights):
            self._steps_since_solve += 1
        elif weights is not None:
            self._held.update(zip(tasks, weights.tolist()))
            self._steps_since_solve = 1


def trainable(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """Those that are not frozen."""
    return [parameter for parameter in parameters if parameter.requires_grad]
