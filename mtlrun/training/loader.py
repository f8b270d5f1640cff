"""From drawn row numbers to batches on the device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mtlrun.data.source import Source
from mtlrun.gradients.ranks import Ranks
from mtlrun.samplers.batch_sampler import BatchIndices
from mtlrun.training.devices import to_device
from mtlrun.training.fetching import fetch, through_workers
from mtlrun.types import Batch

Fetched = list[tuple[str, Tensor, Tensor, dict[str, Tensor]]]
"""One micro-batch: (source, rows, inputs, targets) each."""


@dataclass
class StepBatch:
    """What one process works on in one step.

    micro: per independent batch its micro-batches, each with one Batch per source.
    counts: per independent batch the labelled rows of each task, over all micro-batches and processes.
    """

    micro: list[list[list[Batch]]]
    counts: list[dict[str, int]]

    @property
    def rows(self) -> dict[str, int]:
        """Labelled rows of each active task in the whole step, in the run's order of the tasks."""
        tasks = {task: 0 for counts in self.counts for task in counts}
        return {task: sum(counts.get(task, 0) for counts in self.counts) for task in tasks}

    @property
    def tasks(self) -> set[str]:
        """Those that have a row in this process."""
        return {task for micro in self.micro for batches in micro for batch in batches for task in batch.rows}


class Loader:
    """Turns draws into batches: whole gathers in this process if every source is in memory, else in workers.

    Args:
        sources: of the training split.
        device: where batches go.
        accumulate: micro-batches per batch.
        workers: processes for sources that are not in memory.
        memory_format: of image inputs.
        batches: independent batches per step; the drawn rows are dealt out to them.
        ranks: the processes among which each batch is dealt out.
        empty_parts: give every process a part of every source and active task, even if it has no row (for layers that
            exchange statistics, and so must run everywhere).
        seed: of random augmentation.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        device: torch.device,
        accumulate: int = 1,
        workers: int = 0,
        memory_format: torch.memory_format = torch.contiguous_format,
        batches: int = 1,
        ranks: Ranks | None = None,
        empty_parts: bool = False,
        seed: int = 0,
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._device, self._memory_format, self._empty_parts = device, memory_format, empty_parts
        self._deal, self._seed = Deal(batches, ranks or Ranks(), accumulate), seed
        self._workers = 0 if all(source.in_memory for source in sources) else workers
        self._labelled = {
            source.name: {task: mask for task in source.tasks if not (mask := source.labelled(task)).all()}
            for source in sources
        }

    def batches(self, draws: Iterable[BatchIndices]) -> Iterator[StepBatch]:
        """One StepBatch per draw, in order."""
        fetching = _Fetch(self._sources, self._deal, self._empty_parts, self._seed)
        return (self._step(*made) for made in through_workers(fetching, draws, self._workers, self._device))

    def _step(self, draw: BatchIndices, fetched: list[list[Fetched]]) -> StepBatch:
        counts = [self._counts(draw, batch) for batch in range(self._deal.batches)]
        micro = [
            [[self._batch(tuple(counts[batch]), *part) for part in parts] for parts in micro_batches]
            for batch, micro_batches in enumerate(fetched)
        ]
        return StepBatch(micro, counts)

    def _counts(self, draw: BatchIndices, batch: int) -> dict[str, int]:
        """Labelled rows of each task in one batch, over all processes."""
        counts = dict.fromkeys(draw.tasks, 0)
        for name, rows in draw.rows.items():
            mine = self._deal.batch(rows, batch)
            for task in (task for task in self._sources[name].tasks if task in counts):
                labelled = self._labelled[name].get(task)
                counts[task] += len(mine) if labelled is None else int(labelled[mine].sum())
        return {task: count for task, count in counts.items() if count}

    def _batch(
        self, tasks: tuple[str, ...], name: str, rows: Tensor, inputs: Tensor, targets: dict[str, Tensor]
    ) -> Batch:
        source = self._sources[name]
        return make_batch(
            source,
            rows,
            inputs,
            targets,
            tasks,
            self._labelled[name],
            self._device,
            self._memory_format,
            self._empty_parts,
        )


def make_batch(
    source: Source,
    rows: Tensor,
    inputs: Tensor,
    targets: dict[str, Tensor],
    tasks: Sequence[str],
    labelled: dict[str, Tensor],
    device: torch.device,
    memory_format: torch.memory_format = torch.contiguous_format,
    empty_parts: bool = False,
) -> Batch:
    """A Batch on the device from fetched rows [B]; tasks without a labelled row among them are left out.

    Args:
        labelled: bool [N] of the tasks that are not labelled on every row.
        empty_parts: keep tasks without a labelled row, with zero rows.
    """
    inputs = source.prepare(to_device(inputs, device))
    if inputs.dim() == 4:
        inputs = inputs.contiguous(memory_format=memory_format)
    batch = Batch(source.name, inputs, {}, {})
    for task in (task for task in source.tasks if task in tasks):
        places = labelled[task][rows].nonzero().squeeze(1) if task in labelled else None
        if places is None or len(places) == len(rows):
            batch.targets[task], batch.rows[task] = to_device(targets[task], device), None
        elif len(places) or empty_parts:
            places = to_device(places, device)
            batch.targets[task] = to_device(targets[task], device).index_select(0, places)
            batch.rows[task] = places
    return batch


@dataclass(frozen=True)
class Deal:
    """How drawn rows are dealt out: one by one to the independent batches, one by one to the processes, so that each
    gets its share of every pool; then cut into micro-batches."""

    batches: int
    ranks: Ranks
    accumulate: int

    def batch(self, rows: Tensor, number: int) -> Tensor:
        """The rows of one independent batch, over all processes."""
        return rows[number :: self.batches]

    def micro(self, rows: Tensor, number: int) -> tuple[Tensor, ...]:
        """This process's part of them, in micro-batches."""
        return self.batch(rows, number)[self.ranks.rank :: self.ranks.size].tensor_split(self.accumulate)


class _Fetch(Dataset[tuple[BatchIndices, list[list[Fetched]]]]):
    """Fetches this process's rows of a draw; lives in the workers."""

    def __init__(self, sources: dict[str, Source], deal: Deal, empty_parts: bool, seed: int) -> None:
        self._sources, self._deal, self._empty_parts, self._seed = sources, deal, empty_parts, seed

    def __getitem__(self, draw: BatchIndices) -> tuple[BatchIndices, list[list[Fetched]]]:
        return draw, [self._batch(draw, number) for number in range(self._deal.batches)]

    def _batch(self, draw: BatchIndices, number: int) -> list[Fetched]:
        micro: list[Fetched] = [[] for _ in range(self._deal.accumulate)]
        for name, rows in draw.rows.items():
            for place, part in enumerate(self._deal.micro(rows, number)):
                if len(part) or self._empty_parts:
                    micro[place].append((name, part, *fetch(self._sources[name], part, self._seed, draw.step)))
        return micro
