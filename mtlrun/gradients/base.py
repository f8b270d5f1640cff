"""What the passes of one step have in common: their contract, their words, and the small steps that they are made of.

Shapes: T active tasks, P shared parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from mtlrun.balancers.base import Balancer, GramBalancer, LossBalancer
from mtlrun.errors import ConfigError, choose
from mtlrun.gradients.ranks import Ranks

Losses = Mapping[str, Tensor]
"""Of one micro-batch: task -> its part of the task's loss; a task without a row in it is not there."""

GRADIENTS = ("parameters", "last_stage", "features")
"""What a gram balancer sees the gradients on: all shared parameters, the last shared stage, or the shared features."""
MEMORY = ("buffer", "gramian")
"""buffer: a row per task. gramian: the Gram matrix part by part, in less memory."""
RESCALES = ("paper", "sum", "norm")
"""paper: the method's own length. sum: weights add up to T. norm: as long as the plain sum of the gradients."""
HEADS = ("own", "weighted")
"""What the tasks' own parameters follow. own: each the gradient of its task, times what few methods weigh them by.
weighted: the same weighted loss as the shared parameters. Loss balancers know no other way."""


@dataclass(frozen=True)
class EngineSettings:
    """What stands beside a balancer's own options in the configuration: `conf/gradients` says what each means.

    every: steps between two solves of a gram balancer. gradients, memory, rescale, heads: one of GRADIENTS, MEMORY,
    RESCALES, HEADS.

    Raises:
        ConfigError: for a word that is not one of those, or less than one step.
    """

    every: int = 1
    gradients: str = "parameters"
    memory: str = "buffer"
    rescale: str = "paper"
    heads: str = "own"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"balancer.every={self.every}: must be 1 or more")
        choose(self.gradients, GRADIENTS, "balancer.gradients")
        choose(self.memory, MEMORY, "balancer.memory")
        choose(self.rescale, RESCALES, "balancer.rescale")
        choose(self.heads, HEADS, "balancer.heads")


class FeatureTap:
    """Notes the shared features of each forward pass while gradients are recorded.

    Args:
        module: whose outputs are tensors, such as the last shared stage of a network.
    """

    def __init__(self, module: nn.Module) -> None:
        self._noted: list[Tensor] = []
        module.register_forward_hook(self._note)

    def take(self) -> list[Tensor]:
        """The outputs since the last call: one per forward pass, which is one per source."""
        noted, self._noted = self._noted, []
        return noted

    def _note(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        if torch.is_grad_enabled() and output.requires_grad:
            self._noted.append(output)


@dataclass(frozen=True)
class ParameterGroups:
    """The parameters of a network.

    shared: those that influence two tasks or more; task_specific: per task the others. last_stage: those of `shared`
    that gradients=last_stage looks at; features: notes the features for gradients=features.
    """

    shared: list[nn.Parameter]
    task_specific: dict[str, list[nn.Parameter]]
    last_stage: list[nn.Parameter] = field(default_factory=list)
    features: FeatureTap | None = None

    def without_frozen(self) -> ParameterGroups:
        """The same without parameters that are not trained."""
        own = {task: trainable(parameters) for task, parameters in self.task_specific.items()}
        return replace(self, shared=trainable(self.shared), task_specific=own, last_stage=trainable(self.last_stage))


@dataclass(frozen=True)
class Step:
    """One step: the active tasks; a factor on every loss, which `.grad` keeps; independent batches; how many calls of
    `backward` each of them takes; whether the Gram matrix is wanted for the diagnostics."""

    tasks: tuple[str, ...]
    scale: float
    batches: int
    micro_batches: int
    measure: bool

    def row(self, call: int, task: str) -> int:
        """Row of a task's gradient from the given call of `backward`: one batch's rows below the other's."""
        return call // self.micro_batches * len(self.tasks) + self.tasks.index(task)

    def completes(self, call: int) -> bool:
        """Whether the call is the last one of its batch."""
        return (call + 1) % self.micro_batches == 0

    @property
    def calls(self) -> int:
        return self.batches * self.micro_batches


@dataclass(frozen=True)
class Trace:
    """What one step computed, over all processes: losses and weights [T] on their device, gram [T, T] on the CPU.

    weights: None where the update is not a weighted sum; gram: of all shared parameters, None where no per-task
    gradients were taken.
    """

    tasks: tuple[str, ...]
    losses: Tensor
    weights: Tensor | None
    gram: Tensor | None = None


B = TypeVar("B", bound=Balancer)


class Pass(ABC, Generic[B]):
    """A way through the network: sees every micro-batch of one step, then the losses of the whole step.

    Args:
        step: what it goes through.
        groups: the parameters, without frozen ones.
        balancer: of a kind that the pass can serve.
        settings: of the engine.
        ranks: the processes that train together.
    """

    solved = True
    """False where loss scaling overflowed, so that the weights are none to hold."""

    def __init__(
        self, step: Step, groups: ParameterGroups, balancer: B, settings: EngineSettings, ranks: Ranks
    ) -> None:
        self.step, self.groups, self.balancer, self.settings, self.ranks = step, groups, balancer, settings, ranks

    @abstractmethod
    def backward(self, call: int, losses: Losses, so_far: Tensor) -> None:
        """Backward passes of one micro-batch.

        Args:
            call: number of the call, from 0.
            losses: those that this process has rows for.
            so_far: [T], summed over the calls; in the last call, the losses of the whole step over all processes.
        """

    @abstractmethod
    def finish(self, losses: Tensor) -> Trace:
        """Complete `.grad` from the losses [T] of the whole step."""

    def trace(self, losses: Tensor, weights: Tensor | None, gram: Tensor | None = None) -> Trace:
        """Of this step; of a Gram matrix of all batches the rows that the update is made of. None of a step that
        overflowed: it says nothing of the tasks."""
        known = gram is not None and isfinite(float(gram.sum()))
        return Trace(self.step.tasks, losses, weights, self.last_batch(gram) if gram is not None and known else None)

    def last_batch(self, gram: Tensor) -> Tensor:
        """[T, T]: the rows that the update is made of, of a Gram matrix of all batches."""
        if self.step.batches == 1:
            return gram
        count = len(self.step.tasks)
        return gram[-count:, -count:]

    @property
    def sees_all(self) -> bool:
        """Whether the balancer sees the gradients on all shared parameters."""
        return self.settings.gradients == "parameters"

    def solve(self, balancer: GramBalancer, gram: Tensor, losses: Tensor) -> Tensor:
        """The balancer's weights [T] on the device of the losses; ones where loss scaling overflowed.

        With a loss scale above 1, a gradient that is not finite is expected now and then: the scaler will skip the
        step, so the balancer must not learn from it.
        """
        if self.step.scale != 1 and not bool(gram.isfinite().all()):
            self.solved = False
            return torch.ones_like(losses)
        weights = balancer.weights(gram, losses, self.step.tasks)
        return self.rescaled(weights, self.last_batch(gram)).to(losses)

    def rescaled(self, weights: Tensor, gram: Tensor | None) -> Tensor:
        """Weights [T] of the length that was asked for, see `weight_factor`."""
        rescale = self.settings.rescale
        return weights if rescale == "paper" else weights * weight_factor(rescale, weights, gram)

    def weigh_task_specific(self, weights: Tensor | None, losses: Tensor) -> None:
        """Multiply each task's own gradients by the weights [T] of the update, or leave them to the method's own word.

        Raises:
            ConfigError: if they are to be weighted and the update has no weights.
        """
        if self.settings.heads == "weighted" and weights is None:
            raise no_weights(self.balancer)
        weighted = self.settings.heads == "weighted" or isinstance(self.balancer, LossBalancer)
        own = weights if weighted else self.balancer.own_weights(losses, self.step.tasks)
        if own is not None:
            for task, weight in zip(self.step.tasks, own.to(losses)):
                multiply(self.groups.task_specific[task], weight)

    def reduce(self, shared: bool) -> None:
        """Complete the tasks' own gradients: the mean over the batches, the sum over the processes; and the sum of the
        shared ones too, if they are still partial."""
        if self.step.batches == self.ranks.size == 1:
            return
        own = [parameter for task in self.step.tasks for parameter in self.groups.task_specific[task]]
        if self.step.batches > 1:
            multiply(own, 1 / self.step.batches)
        self.ranks.sum_gradients([*(self.groups.shared if shared else ()), *own])


def no_weights(balancer: Balancer) -> ConfigError:
    """The refusal of heads=weighted for a method that has nothing to weigh them by."""
    method = type(balancer).__name__
    return ConfigError(f"balancer.heads=weighted: {method} gives no weights with these options, choose own")


def trainable(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """Those that are not frozen."""
    return [parameter for parameter in parameters if parameter.requires_grad]


def stacked(losses: Losses, tasks: tuple[str, ...], like: Tensor) -> Tensor:
    """[T]; zero, of the type of `like`, for a task that has no row here."""
    return torch.stack([losses[task] if task in losses else like.new_zeros(()) for task in tasks])


def times(values: Tensor, factor: float) -> Tensor:
    """The product; by 1 the values themselves, since each operation costs microseconds there and in the way back."""
    return values if factor == 1 else values * factor


def gradients(loss: Tensor, inputs: Sequence[Tensor], retain: bool) -> tuple[Tensor | None, ...]:
    """Of a loss on parameters or features; None for those that it does not depend on."""
    if not inputs:
        return ()
    return torch.autograd.grad(loss, inputs, retain_graph=retain, allow_unused=True)


def accumulate(parameters: Sequence[nn.Parameter], found: Sequence[Tensor | None]) -> None:
    """Add gradients to `.grad`, each in memory of its own.

    Autograd gives parameters that are added to one another the same tensor, and the sum of a parameter's entries one
    number for all of them: weighting, unscaling and clipping, which work in place, would come twice, or fail.
    """
    taken: set[int] = set()
    for parameter, gradient in zip(parameters, found):
        if gradient is None:
            continue
        if parameter.grad is not None:
            parameter.grad = parameter.grad + gradient
            continue
        memory = gradient.untyped_storage()
        alone = memory.data_ptr() not in taken and memory.nbytes() == gradient.nbytes
        taken.add(memory.data_ptr())
        parameter.grad = gradient if alone else gradient.clone(memory_format=torch.contiguous_format)


def multiply(parameters: Sequence[nn.Parameter], factor: Tensor | float) -> None:
    """Multiply `.grad` where there is one."""
    found = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if found:
        torch._foreach_mul_(found, factor)


def flat(found: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensor:
    """Gradients as one vector; zeros for None."""
    parts = [(torch.zeros_like(t) if g is None else g).flatten() for g, t in zip(found, like)]
    return torch.cat(parts) if parts else torch.empty(0)


def weight_factor(rescale: str, weights: Tensor, gram: Tensor | None) -> Tensor:
    """What to multiply weights [T] by; 1 where the wanted length is not defined (weights that add up to 0).

    Args:
        gram: [T, T], for 'norm'.
    """
    one = torch.ones((), dtype=weights.dtype, device=weights.device)
    if rescale == "paper":
        return one
    if rescale == "sum":
        return ratio(one * len(weights), weights.sum(), weights.abs().sum())
    assert gram is not None
    plain, own = gram.sum(), weights @ gram @ weights
    return ratio(plain.clamp(min=0).sqrt(), own.clamp(min=0).sqrt(), (weights.square() @ gram.diagonal()).sqrt())


def row_factor(rescale: str, weights: Tensor | None, update: Tensor, jacobian: Tensor) -> Tensor:
    """What to multiply an update [P] by that was made from rows [T, P]; weights [T] where it is their weighted sum."""
    if rescale == "norm":
        return ratio(jacobian.sum(0).norm(), update.norm(), update.norm())
    if rescale == "sum" and weights is not None:
        return weight_factor(rescale, weights, None)
    return update.new_ones(())


def ratio(wanted: Tensor, found: Tensor, scale: Tensor) -> Tensor:
    """wanted / found, or 1 where `found` is not above the rounding of terms as large as `scale`."""
    defined = found > 1e-6 * scale
    return torch.where(defined, wanted / torch.where(defined, found, torch.ones_like(found)), torch.ones_like(found))
