"""Metrics and losses on whole splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.data.source import Source
from mtlrun.tasks.base import Task, compute_metrics
from mtlrun.training.devices import autocast
from mtlrun.training.loader import make_batch
from mtlrun.training.settings import Precision
from mtlrun.types import Batch

Scores = dict[str, dict[str, float]]
"""task -> metric -> value; 'loss' is one of the metrics."""


class Evaluator:
    """Runs a network over sources, in eval mode and without gradients.

    Args:
        network: the model, compiled or not.
        tasks: by name.
        device, precision: as in training.
        batch_size: rows per forward pass.
    """

    def __init__(
        self,
        network: nn.Module,
        tasks: Mapping[str, Task],
        device: torch.device,
        precision: Precision,
        batch_size: int,
    ) -> None:
        self.network, self.tasks, self.device = network, tasks, device
        self.precision, self.batch_size = precision, batch_size

    def evaluate(self, sources: Sequence[Source], limit: int | None = None) -> Scores:
        """All metrics of every task that has a labelled row; at most `limit` rows per source, spread over it."""
        metrics: dict[str, Any] = {}
        losses: dict[str, list[Tensor]] = {}
        for batch, _, outputs in self.outputs(sources, limit):
            for task, output in outputs.items():
                if task not in metrics:
                    made = self.tasks[task].make_metrics()
                    metrics[task] = {name: metric.to(self.device) for name, metric in made.items()}
                self.tasks[task].update_metrics(metrics[task], output, batch.targets[task])
                losses.setdefault(task, []).append(self.tasks[task].losses(output, batch.targets[task]))
        return {
            task: {"loss": torch.cat(losses[task]).mean().item(), **compute_metrics(metrics[task])}
            for task in self.tasks
            if task in metrics
        }

    def row_losses(self, source: Source) -> dict[str, Tensor]:
        """Per task the loss of every row of the source, [N] on the CPU; NaN where it is not labelled."""
        values = {task: torch.full((len(source),), torch.nan) for task in source.tasks if task in self.tasks}
        for batch, rows, outputs in self.outputs([source]):
            for task, output in outputs.items():
                places = batch.rows[task]
                numbers = rows if places is None else rows[places.cpu()]
                values[task][numbers] = self.tasks[task].losses(output, batch.targets[task]).float().cpu()
        return values

    def outputs(
        self, sources: Sequence[Source], limit: int | None = None
    ) -> Iterator[tuple[Batch, Tensor, dict[str, Any]]]:
        """(batch, row numbers [B], outputs per task) over the sources, in order."""
        was_training = self.network.training
        self.network.eval()
        try:
            for source in sources:
                labelled = {task: source.labelled(task) for task in source.tasks}
                for rows in chosen_rows(len(source), limit).split(self.batch_size):
                    batch = make_batch(source, rows, *source.fetch(rows), tuple(self.tasks), labelled, self.device)
                    with torch.no_grad(), autocast(self.device, self.precision):
                        outputs = self.network(batch.inputs, batch.rows)
                    yield batch, rows, outputs
        finally:
            self.network.train(was_training)


def chosen_rows(size: int, limit: int | None) -> Tensor:
    """All rows, or `limit` of them at even distances."""
    if limit is None or limit >= size:
        return torch.arange(size)
    return torch.arange(limit) * size // limit
