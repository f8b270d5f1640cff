"""One optimizer step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from mtlrun.gradients.base import Trace
from mtlrun.gradients.engine import Engine
from mtlrun.tasks.base import Task
from mtlrun.training.batches import StepBatch
from mtlrun.training.devices import autocast
from mtlrun.training.model import MultiTaskModel, task_losses
from mtlrun.training.schedule import Schedule
from mtlrun.training.settings import Clip, Precision


@dataclass
class Stepper:
    """What a step works with. `network` is `model`, compiled or not."""

    model: MultiTaskModel
    network: nn.Module
    tasks: Mapping[str, Task]
    engine: Engine
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    scaler: torch.amp.GradScaler
    device: torch.device
    precision: Precision
    clip_norm: float | None
    clip: Clip

    @cached_property
    def updated(self) -> list[nn.Parameter]:
        """Those that the optimizer moves."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @cached_property
    def clipped(self) -> list[nn.Parameter]:
        """Those whose gradient `clip_norm` bounds."""
        return [*(self.model.parameters() if self.clip == Clip.all else self.engine.groups.shared)]


def train_step(stepper: Stepper, batch: StepBatch, measure: bool) -> Trace:
    """Losses, backward passes, balancing, clipping, update. Nothing here waits for the device."""
    for parameter in stepper.updated:  # as the optimizer's zero_grad, which looks for a profiler each time
        parameter.grad = None
    scale = stepper.scaler.get_scale() if stepper.scaler.is_enabled() else 1.0
    losses = micro_losses(stepper, batch)  # each made when the engine asks for it: one graph at a time
    trace = stepper.engine.backward(losses, [*batch.rows], len(batch.micro[0]), measure, scale)
    add_penalty(stepper.model, scale)
    stepper.scaler.unscale_(stepper.optimizer)
    if stepper.clip_norm is not None:
        clip_grad_norm_(stepper.clipped, stepper.clip_norm)
    stepper.scaler.step(stepper.optimizer)
    stepper.scaler.update()
    stepper.schedule.after_step()
    if stepper.engine.balancer.observes:
        stepper.engine.balancer.observe(losses_after(stepper, batch, trace.tasks), trace.tasks)
    return trace


def micro_losses(stepper: Stepper, batch: StepBatch) -> Iterator[dict[str, Tensor]]:
    """The losses of each micro-batch, one forward pass at a time."""
    for counts, micro_batches in zip(batch.counts, batch.micro):
        for micro in micro_batches:
            with autocast(stepper.device, stepper.precision):
                losses = task_losses(stepper.network, stepper.tasks, micro, counts)
            yield losses


def add_penalty(model: MultiTaskModel, scale: float) -> None:
    """Add the gradient of the sharing scheme's penalty, if it has one. It looks at no data, so it is the same in every
    process, and comes after the gradients were summed over them."""
    penalty = model.sharing.penalty()
    if penalty is not None:
        (penalty * scale).backward()


def losses_after(stepper: Stepper, batch: StepBatch, tasks: Sequence[str]) -> Tensor:
    """The losses [T] of the same rows after the step, over all processes; the network stays in training mode."""
    total = torch.zeros(len(tasks), device=stepper.device)
    with torch.no_grad():
        for losses in micro_losses(stepper, batch):
            total += torch.stack([losses[task] if task in losses else total.new_zeros(()) for task in tasks])
    return stepper.engine.ranks.sum(total / len(batch.counts))
