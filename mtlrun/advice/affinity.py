"""Look-ahead affinity: what a step on one task does to the losses of the others, on held-out rows. Loads torch.

Fifty et al. 2021 (Efficiently Identifying Task Groupings for Multi-Task Learning, arXiv:2109.04617), equation 1:
Z(i -> j) = 1 - L_j(shared parameters after a step on task i alone, head of j) / L_j(before). Deviations: the losses are
those of validation rows, not of the batch that gave the gradient; and every task's step is as long as the update that
the run itself takes there, so that neither the scale of a loss nor an adaptive optimizer decides who helps whom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mtlrun.advice.look import built
from mtlrun.advice.partitions import EVERY, Affinity
from mtlrun.samplers.base import TrainingProgress
from mtlrun.samplers.batch_sampler import BatchIndices
from mtlrun.training.batches import StepBatch
from mtlrun.training.step import micro_losses, train_step
from mtlrun.training.trainer import Trainer

ROWS = 256
"""Held-out rows of each source."""


def affinity_of(words: Sequence[str], steps: int) -> Affinity:
    """Measured along the first steps of the joint run with these settings."""
    with built(words) as trainer:
        return measured_along(trainer, steps)


def measured_along(trainer: Trainer, steps: int) -> Affinity:
    """Train so many steps, and look ahead at every tenth, from the first on."""
    look_ahead, tables = LookAhead(trainer), []
    for step, batch in enumerate(trainer.loader.batches(_drawn(trainer, steps))):
        if step % EVERY == 0:
            tables.append(look_ahead.step(batch))
        else:
            train_step(trainer.stepper, batch, measure=False)
    mean = torch.stack(tables).nanmean(0)
    values = tuple(tuple(None if value != value else value for value in line) for line in mean.tolist())
    return Affinity(tuple(trainer.tasks), values, len(tables))


def _drawn(trainer: Trainer, steps: int) -> Iterator[BatchIndices]:
    for step in range(steps):
        epoch, fraction = step // trainer.steps_per_epoch, step / max(steps, trainer.total_steps)
        yield trainer.sampler.next(TrainingProgress(step, epoch, fraction))


class LookAhead:
    """Takes a training step and tells what a step of the same length on each task alone would have done.

    Args:
        trainer: whose network, optimizer and validation rows are used.
        rows: of each validation source, at even distances.
    """

    def __init__(self, trainer: Trainer, rows: int = ROWS) -> None:
        self._trainer, self._rows = trainer, rows
        self._shared = list(trainer.engine.groups.shared)

    def step(self, batch: StepBatch) -> Tensor:
        """Train on the batch; returns Z [T, T], NaN where a task has no row in it or no loss above 0."""
        before = self._kept()
        gradients = self._gradients(batch)
        self._put(before)  # running statistics have seen the batch
        train_step(self._trainer.stepper, batch, measure=False)
        after = self._kept()
        length = _norm([new - old for old, new in zip(*self._both(before, after))])
        self._put(before)
        table = self._table(gradients, length)
        self._put(after)
        return table

    def _table(self, gradients: Sequence[Sequence[Tensor] | None], length: Tensor) -> Tensor:
        start, held_out = [one.detach().clone() for one in self._shared], self._held_out()
        lines = []
        for own in gradients:
            lines.append(torch.full_like(held_out, torch.nan))
            if own is not None and (norm := _norm(own)) > 0:
                self._move(start, own, -length / norm)
                lines[-1] = torch.where(held_out > 0, 1 - self._held_out() / held_out, torch.nan)
        self._move(start, start, torch.zeros_like(length))
        return torch.stack(lines)

    @torch.no_grad()
    def _move(self, start: Sequence[Tensor], direction: Sequence[Tensor], factor: Tensor) -> None:
        for parameter, old, way in zip(self._shared, start, direction):
            parameter.copy_(old + factor * way)

    def _gradients(self, batch: StepBatch) -> list[list[Tensor] | None]:
        """Of each task's loss on the shared parameters; None for a task without a row in the batch."""
        losses: dict[str, Tensor] = {}
        for found in micro_losses(self._trainer.stepper, batch):
            for task, loss in found.items():
                losses[task] = losses[task] + loss if task in losses else loss
        return [self._gradient(losses[task]) if task in losses else None for task in self._trainer.tasks]

    def _gradient(self, loss: Tensor) -> list[Tensor]:
        found = torch.autograd.grad(loss, self._shared, retain_graph=True, allow_unused=True)
        return [torch.zeros_like(own) if one is None else one for own, one in zip(self._shared, found)]

    def _held_out(self) -> Tensor:
        """Mean loss of each task on the validation rows [T]; NaN without any."""
        trainer = self._trainer
        losses: dict[str, list[Tensor]] = {task: [] for task in trainer.tasks}
        for batch, _, outputs in trainer.evaluator.outputs(trainer.splits.val, self._rows):
            for task, output in outputs.items():
                losses[task].append(trainer.tasks[task].losses(output, batch.targets[task]).detach().double())
        return torch.stack([torch.cat(found).mean() if found else torch.tensor(torch.nan) for found in losses.values()])

    def _kept(self) -> list[Tensor]:
        return [tensor.detach().clone() for tensor in self._tensors()]

    @torch.no_grad()
    def _put(self, kept: Sequence[Tensor]) -> None:
        for tensor, value in zip(self._tensors(), kept):
            tensor.copy_(value)

    def _tensors(self) -> list[Tensor]:
        model = self._trainer.model
        return [*model.parameters(), *model.buffers()]

    def _both(self, before: Sequence[Tensor], after: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The shared parameters among what was kept."""
        shared = {id(parameter) for parameter in self._shared}
        places = [place for place, tensor in enumerate(self._tensors()) if id(tensor) in shared]
        return [before[place] for place in places], [after[place] for place in places]


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    """Of all of them together."""
    return torch.stack([tensor.double().square().sum() for tensor in tensors]).sum().sqrt()
