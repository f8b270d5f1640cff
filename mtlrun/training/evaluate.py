"""Metrics and losses on whole splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchmetrics import Metric

from mtlrun.data.source import Source
from mtlrun.gradients.ranks import Ranks
from mtlrun.tasks.base import Task, compute_metrics
from mtlrun.training.batches import BatchMaker, Fetched, fetch, through_workers
from mtlrun.training.devices import autocast
from mtlrun.training.merge import TaskEvaluation, merged
from mtlrun.training.settings import Precision
from mtlrun.types import Batch

Scores = dict[str, dict[str, float]]
"""task -> metric -> value; 'loss' is one of the metrics."""


class Evaluator:
    """Runs a network over sources, in eval mode and without gradients.

    Of several processes each takes every so-many-th row. All get the scores of the whole split, and all use the first
    one's running statistics.

    Args:
        network: the model, compiled or not.
        tasks: by name.
        device, precision: as in training.
        batch_size: rows per forward pass.
        ranks: the processes that evaluate together.
        workers: processes that read sources which are not in memory.
    """

    def __init__(
        self,
        network: nn.Module,
        tasks: Mapping[str, Task],
        device: torch.device,
        precision: Precision,
        batch_size: int,
        ranks: Ranks | None = None,
        workers: int = 0,
    ) -> None:
        self.network, self.tasks, self.device = network, tasks, device
        self.precision, self.batch_size, self.ranks = precision, batch_size, ranks or Ranks()
        self.workers = workers

    def evaluate(self, sources: Sequence[Source], limit: int | None = None) -> Scores:
        """All metrics of every task that has a labelled row; at most `limit` rows per source, spread over it."""
        here = self._own_rows(sources, limit)
        if self.ranks.size > 1:
            here = self._all_rows(here)
        scores = {
            task: {"loss": torch.cat(here[task].losses).mean().item(), **compute_metrics(here[task].metrics)}
            for task in self.tasks
            if task in here
        }
        return self.ranks.broadcast_object(scores)

    def row_losses(self, source: Source) -> dict[str, Tensor]:
        """Per task the loss of every row of the source, [N] on the CPU; NaN where it is not labelled."""
        values = {task: torch.full((len(source),), torch.nan) for task in source.tasks if task in self.tasks}
        self._share_statistics()
        for batch, rows, outputs in self.outputs([source], None, self.ranks):
            for task, output in outputs.items():
                numbers = _labelled(rows, batch.rows[task])
                values[task][numbers] = self.tasks[task].losses(output, batch.targets[task]).float().cpu()
        parts = self.ranks.all_gather_object(values)
        for rank, part in enumerate(parts):
            for task in values:
                values[task][rank :: len(parts)] = part[task][rank :: len(parts)]
        return values

    def _own_rows(self, sources: Sequence[Source], limit: int | None) -> dict[str, TaskEvaluation]:
        """Per task what this process's rows bring."""
        found: dict[str, TaskEvaluation] = {}
        starts = dict(zip((source.name for source in sources), _starts(sources)))
        by_name = {source.name: source for source in sources}
        self._share_statistics()
        for batch, rows, outputs in self.outputs(sources, limit, self.ranks):
            for name, output in outputs.items():
                task, target = self.tasks[name], batch.targets[name]
                here = found[name] if name in found else found.setdefault(name, TaskEvaluation(self._metrics(task)))
                numbers = _labelled(rows, batch.rows[name])
                texts = by_name[batch.source].texts(name, numbers)
                task.update_metrics(here.metrics, output, target, *(() if texts is None else (texts,)))
                here.losses.append(task.losses(output, target))
                if self.ranks.size > 1:
                    here.positions.append(numbers + starts[batch.source])
        return found

    def _all_rows(self, here: Mapping[str, TaskEvaluation]) -> dict[str, TaskEvaluation]:
        """Per task what the rows of all processes bring, in the first process; nothing in the others."""
        processes = self.ranks.all_gather_object({task: evaluation.part() for task, evaluation in here.items()})
        names = [name for name in self.tasks if self.ranks.first and any(name in parts for parts in processes)]
        return {
            name: merged(self._metrics(self.tasks[name]), [parts[name] for parts in processes if name in parts])
            for name in names
        }

    def _metrics(self, task: Task) -> dict[str, Metric]:
        return {name: metric.to(self.device) for name, metric in task.make_metrics().items()}

    def _share_statistics(self) -> None:
        """All processes evaluate with the first one's running statistics."""
        self.ranks.copy_from_first(list(self.network.buffers()))

    def outputs(
        self, sources: Sequence[Source], limit: int | None = None, ranks: Ranks | None = None
    ) -> Iterator[tuple[Batch, Tensor, dict[str, Any]]]:
        """(batch, row numbers [B], outputs per task) over the sources, in order; only a process's part with `ranks`."""
        rank, size = (ranks.rank, ranks.size) if ranks else (0, 1)
        was_training = self.network.training
        self.network.eval()
        try:
            for source in sources:
                maker = BatchMaker(source, self.device)
                chosen = chosen_rows(len(source), limit)[rank::size]
                parts = chosen.split(self.batch_size) if len(chosen) else ()
                workers = 0 if source.in_memory else self.workers
                for fetched in through_workers(_Read(source), parts, workers, self.device):
                    batch = maker.make(fetched, self.tasks)
                    with torch.no_grad(), autocast(self.device, self.precision):
                        outputs = self.network(batch.inputs, batch.rows)
                    yield batch, fetched[0], outputs
        finally:
            self.network.train(was_training)


class _Read(Dataset[Fetched]):
    """Fetches rows [B]; lives in the workers."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getitem__(self, rows: Tensor) -> Fetched:
        return fetch(self._source, rows, seed=0, step=0)


def chosen_rows(size: int, limit: int | None) -> Tensor:
    """All rows, or `limit` of them at even distances."""
    if limit is None or limit >= size:
        return torch.arange(size)
    return torch.arange(limit) * size // limit


def _labelled(rows: Tensor, positions: Tensor | None) -> Tensor:
    """The row numbers at the given positions of a batch; all of them for None."""
    return rows if positions is None else rows[positions.cpu()]


def _starts(sources: Sequence[Source]) -> list[int]:
    """Where each source begins among the rows of all."""
    return [sum(map(len, sources[:index])) for index in range(len(sources))]
