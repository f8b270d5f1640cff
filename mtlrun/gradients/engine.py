"""From per-task losses to `.grad`: the one place that decides which backward passes a step takes.

| balancer reads | passes through the shared part |
| --- | --- |
| losses | one, of the weighted sum |
| Gram matrix or gradients | one per task; with `every=k` only at each k-th step, in between one with held weights |
| Gram matrix, `gradients=last_stage` or `features` | one per task down to there, and one of the weighted sum |
| Gram matrix, `memory=gramian` | one per task and part of the network, and one of the weighted sum |

A step that is measured for the diagnostics takes one pass per task for any balancer, and no other: the update is
combined from the measured rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import Balancer, GramBalancer, LossBalancer
from mtlrun.gradients.base import EngineSettings, Losses, ParameterGroups, Pass, Step, Trace, stacked
from mtlrun.gradients.passes import GramianPass, HeldWeightsPass, PerTaskPass, WeightedSumPass
from mtlrun.gradients.ranks import Ranks
from mtlrun.gradients.rows import GradientRows


class Engine:
    """Fills `.grad` from the losses of one step, which may come in several batches, micro-batches and processes.

    Loss balancers weigh the gradients of the shared and of the task-specific parameters alike. Gram and jacobian
    balancers change the update of the shared parameters only, and task-specific ones get the unscaled gradient of their
    task, unless the method has own weights for them or heads=weighted gives them the weights of the update.

    Args:
        groups: the parameters of the network.
        balancer: of any kind.
        settings: how it is fed.
        ranks: the processes that train together.
    """

    def __init__(
        self,
        groups: ParameterGroups,
        balancer: Balancer,
        settings: EngineSettings | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.groups = groups.without_frozen()
        self.balancer = balancer
        self.settings, self.ranks = settings or EngineSettings(), ranks or Ranks()
        self._rows = GradientRows(self.groups.shared, self.ranks)
        self._zeros: dict[int, Tensor] = {}
        self._held: dict[str, float] = {}
        self._steps_since_solve = 0

    def backward(
        self,
        losses: Iterable[Losses],
        tasks: Sequence[str],
        micro_batches: int = 1,
        measure: bool = False,
        scale: float = 1.0,
    ) -> Trace:
        """Take the backward passes of one step, complete `.grad`, and let the balancer learn from the step's losses.

        Args:
            losses: of each micro-batch, batch by batch; each is asked for when the one before has been passed back, so
                one graph at a time is in memory. They and those of all processes add up to the batch's losses.
            tasks: those with a labelled row in the step, in some process.
            micro_batches: of each of the balancer's batches.
            measure: compute the Gram matrix for the diagnostics, whatever the balancer reads.
            scale: factor on every loss in the backward passes (mixed precision); `.grad` keeps it.
        """
        running = self.begin(tasks, micro_batches, measure, scale)
        for found in losses:
            running.add(found)
        return running.finish()

    def begin(
        self, tasks: Sequence[str], micro_batches: int = 1, measure: bool = False, scale: float = 1.0
    ) -> RunningStep:
        """A step for whoever brings the micro-batches one by one; see `backward`."""
        step = Step(tuple(tasks), scale, self.balancer.batches, micro_batches, measure and bool(self.groups.shared))
        return RunningStep(self, step, self._choose(step), self._nothing(len(step.tasks)))

    def state_dict(self) -> dict[str, Any]:
        return {"held": dict(self._held), "steps_since_solve": self._steps_since_solve}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._held, self._steps_since_solve = dict(state["held"]), state["steps_since_solve"]

    def gram_is_free(self) -> bool:
        """Whether the balancer's own steps compute the Gram matrix of all shared parameters."""
        return isinstance(self.balancer, GramBalancer) and self.settings.gradients == "parameters"

    def _choose(self, step: Step) -> Pass[Any]:
        groups, balancer, settings, ranks = self.groups, self.balancer, self.settings, self.ranks
        if isinstance(balancer, LossBalancer):
            late = step.micro_batches > 1 and balancer.weights_need_losses  # weights are known only after all of them
            if not (step.measure or late):
                return WeightedSumPass(step, groups, balancer, settings, ranks)
        elif self._holds(step.tasks):
            return HeldWeightsPass(step, groups, balancer, settings, ranks, self._held)
        elif isinstance(balancer, GramBalancer) and (settings.memory == "gramian" or self._short_passes_suffice(step)):
            return GramianPass(step, groups, balancer, settings, ranks)
        return PerTaskPass(step, groups, balancer, settings, ranks, self._rows)

    def _short_passes_suffice(self, step: Step) -> bool:
        """Whether passes down to what the balancer sees are enough: nothing else needs the whole rows, and one graph
        serves them all."""
        return self.settings.gradients != "parameters" and not step.measure and step.calls == 1

    def _holds(self, tasks: tuple[str, ...]) -> bool:
        """Whether this step lies between two solves and every active task has a weight from before."""
        return self._steps_since_solve % self.settings.every != 0 and all(task in self._held for task in tasks)

    def learn(self, taken: Pass[Any], trace: Trace) -> None:
        """Keep what the step leaves for the next ones: a loss balancer's state, or weights to hold."""
        if isinstance(self.balancer, LossBalancer):
            self.balancer.learn(trace.losses, trace.tasks)
        elif self.settings.every == 1:
            return
        elif isinstance(taken, HeldWeightsPass):
            self._steps_since_solve += 1
        elif trace.weights is not None and taken.solved:
            self._held.update(zip(trace.tasks, trace.weights.tolist()))
            self._steps_since_solve = 1

    def _nothing(self, count: int) -> Tensor:
        """Zeros [T] of the parameters' type and device, made once: nothing writes into them."""
        if count not in self._zeros:
            own = (parameter for parameters in self.groups.task_specific.values() for parameter in parameters)
            first = self.groups.shared[0] if self.groups.shared else next(own)
            self._zeros[count] = torch.zeros(count, dtype=first.dtype, device=first.device)
        return self._zeros[count]


class RunningStep:
    """One step while its micro-batches come in: `add` each, then `finish`.

    Args:
        engine: whose balancer learns from it.
        step: what comes.
        chosen: the pass that it takes.
        zeros: [T], of the parameters' type and device; not written into.
    """

    def __init__(self, engine: Engine, step: Step, chosen: Pass[Any], zeros: Tensor) -> None:
        self.step = step
        self._engine, self._chosen, self._total, self._calls = engine, chosen, zeros, 0

    @property
    def complete(self) -> bool:
        """Whether every micro-batch of every batch has come."""
        return self._calls == self.step.calls

    def add(self, losses: Losses) -> None:
        """Pass the losses of one micro-batch back."""
        self._calls += 1
        assert self._calls <= self.step.calls, f"more than {self.step.calls} micro-batches"
        found = stacked(losses, self.step.tasks, self._total).detach()
        self._total = self._total + (found if self.step.batches == 1 else found / self.step.batches)
        if self.complete:
            self._engine.ranks.sum(self._total)
        self._chosen.backward(self._calls - 1, losses, self._total)

    def finish(self) -> Trace:
        """Complete `.grad`, and let the balancer learn from the step's losses."""
        assert self.complete, f"{self._calls} micro-batches in place of {self.step.calls}"
        trace = self._chosen.finish(self._total)
        if self._engine.groups.features:
            self._engine.groups.features.take()  # a pass with held weights has left its own
        self._engine.learn(self._chosen, trace)
        return trace
