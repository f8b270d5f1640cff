"""One optimizer step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from mtlrun.gradients.engine import Engine, Trace
from mtlrun.tasks.base import Task
from mtlrun.training.devices import autocast
from mtlrun.training.loader import StepBatch
from mtlrun.training.model import task_losses
from mtlrun.training.settings import Precision


@dataclass
class Stepper:
    """What a step works with. `network` is `model`, compiled or not."""

    model: nn.Module
    network: nn.Module
    tasks: Mapping[str, Task]
    engine: Engine
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    device: torch.device
    precision: Precision
    clip_norm: float | None


def train_step(stepper: Stepper, batch: StepBatch, measure: bool) -> Trace:
    """Losses, backward passes, balancing, clipping, update. Nothing here waits for the device."""
    stepper.optimizer.zero_grad(set_to_none=True)
    scale = stepper.scaler.get_scale() if stepper.scaler.is_enabled() else 1.0
    stepper.engine.begin(tuple(batch.counts), len(batch.micro), measure, scale)
    for micro in batch.micro:
        with autocast(stepper.device, stepper.precision):
            losses = task_losses(stepper.network, stepper.tasks, micro, batch.counts)
        stepper.engine.backward(losses)
    trace = stepper.engine.finish()
    stepper.scaler.unscale_(stepper.optimizer)
    if stepper.clip_norm is not None:
        clip_grad_norm_(stepper.model.parameters(), stepper.clip_norm)
    stepper.scaler.step(stepper.optimizer)
    stepper.scaler.update()
    return trace
