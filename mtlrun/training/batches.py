"""From drawn row numbers to batches on the device: split, fetched, moved."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mtlrun.data.source import Source
from mtlrun.gradients.ranks import Ranks
from mtlrun.samplers.batch_sampler import BatchIndices
from mtlrun.seeds import mixed_seed
from mtlrun.training.devices import pins_memory, to_device
from mtlrun.types import Batch

T = TypeVar("T")
Fetched = tuple[Tensor, Tensor, dict[str, Tensor]]
"""Of one source: row numbers [B], inputs [B, ...], and targets [B, ...] of each of its tasks."""
Counts = dict[str, int]
"""task -> labelled rows."""


@dataclass
class StepBatch:
    """What one process works on in one step.

    micro: per independent batch its micro-batches, each with one Batch per source.
    counts: per independent batch the labelled rows of each task, over all micro-batches and processes.
    """

    micro: list[list[list[Batch]]]
    counts: list[Counts]

    @cached_property
    def rows(self) -> Counts:
        """Labelled rows of each active task in the whole step, in the run's order of the tasks."""
        if len(self.counts) == 1:
            return self.counts[0]
        tasks = {task: 0 for counts in self.counts for task in counts}
        return {task: sum(counts.get(task, 0) for counts in self.counts) for task in tasks}

    @property
    def tasks_here(self) -> set[str]:
        """Those that have a row in this process."""
        return {task for micro in self.micro for batches in micro for batch in batches for task in batch.rows}


@dataclass(frozen=True)
class RowSplit:
    """How the rows of one source in one step are split: among independent batches, processes, and micro-batches.

    Rows come pool after pool. Ranges of them would leave a process, or an independent batch, with the rows of a few
    tasks only: heads without work here and waiting there, and batches that cannot be compared. So rows are dealt one by
    one, like cards: everybody's part of every pool differs by a row at most. Micro-batches follow one another in one
    process and are added up, so theirs are ranges, and alone the rows keep their order. For the gradients it makes no
    difference: every loss is divided by the labelled rows of its whole batch.

    Args:
        batches: independent batches per step.
        ranks: the processes that share each batch.
        accumulate: micro-batches of a process in each batch.
    """

    batches: int = 1
    ranks: Ranks = field(default_factory=Ranks)
    accumulate: int = 1

    def batch(self, rows: Tensor, number: int) -> Tensor:
        """The rows of one independent batch, over all processes."""
        return rows if self.batches == 1 else rows[number :: self.batches]

    def micro_batches(self, rows: Tensor) -> tuple[Tensor, ...]:
        """This process's part of a batch's rows."""
        own = rows if self.ranks.size == 1 else rows[self.ranks.rank :: self.ranks.size]
        return (own,) if self.accumulate == 1 else own.tensor_split(self.accumulate)


class BatchLoader:
    """Turns drawn rows into batches: whole gathers in this process if every source is in memory, else in workers.

    Args:
        sources: of the training split.
        device: where batches go.
        split: among independent batches, processes and micro-batches.
        workers: processes for sources that are not in memory.
        memory_format: of image inputs.
        empty_parts: give every process a part of every source and active task, even if it has no row (for layers that
            exchange statistics, and so must run everywhere).
        seed: of random augmentation.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        device: torch.device,
        split: RowSplit | None = None,
        workers: int = 0,
        memory_format: torch.memory_format = torch.contiguous_format,
        empty_parts: bool = False,
        seed: int = 0,
    ) -> None:
        self._device = device
        self._workers = 0 if all(source.in_memory for source in sources) else workers
        self._makers = {source.name: BatchMaker(source, device, memory_format, empty_parts) for source in sources}
        self._step = _Step(self._makers, split or RowSplit(), empty_parts, seed)

    def batches(self, drawn: Iterable[BatchIndices]) -> Iterator[StepBatch]:
        """One StepBatch per draw, in order."""
        return (self._moved(*made) for made in through_workers(self._step, drawn, self._workers, self._device))

    def _moved(self, counts: list[Counts], fetched: list[list[list[tuple[str, Fetched]]]]) -> StepBatch:
        micro = [
            [[self._makers[name].make(rows, here) for name, rows in parts] for parts in micro_batches]
            for here, micro_batches in zip(counts, fetched)
        ]
        return StepBatch(micro, counts)


class BatchMaker:
    """Makes batches on the device from fetched rows of one source.

    Args:
        source: whose rows they are.
        device: where batches go.
        memory_format: of image inputs.
        empty_parts: keep tasks without a labelled row, with zero rows.
    """

    def __init__(
        self,
        source: Source,
        device: torch.device,
        memory_format: torch.memory_format = torch.contiguous_format,
        empty_parts: bool = False,
    ) -> None:
        self.source, self._device = source, device
        self._memory_format, self._empty_parts = memory_format, empty_parts
        # Only of tasks with unlabelled rows: for the others nothing is looked up or selected in any step.
        self.labelled = {task: mask for task in source.tasks if not (mask := source.labelled(task)).all()}

    def make(self, fetched: Fetched, tasks: Collection[str]) -> Batch:
        """Of those of the tasks that have a labelled row in it."""
        rows, inputs, targets = fetched
        inputs = self.source.prepare(to_device(inputs, self._device))
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=self._memory_format)
        batch = Batch(self.source.name, inputs, {}, {})
        for task in (task for task in self.source.tasks if task in tasks):
            positions = self.labelled[task][rows].nonzero().squeeze(1) if task in self.labelled else None
            if positions is None or len(positions) == len(rows):
                batch.targets[task], batch.rows[task] = to_device(targets[task], self._device), None
            elif len(positions) or self._empty_parts:
                positions = to_device(positions, self._device)
                batch.targets[task] = to_device(targets[task], self._device).index_select(0, positions)
                batch.rows[task] = positions
        return batch

    def count(self, rows: Tensor, tasks: Iterable[str]) -> Counts:
        """How many of the rows are labelled for each of the tasks that the source has."""
        return {
            task: int(self.labelled[task][rows].sum()) if task in self.labelled else len(rows)
            for task in tasks
            if task in self.source.tasks
        }


class _Step(Dataset[tuple[list[Counts], list[list[list[tuple[str, Fetched]]]]]]):
    """Splits the rows of a step, counts the labels of all of them, and fetches this process's; lives in the workers."""

    def __init__(self, makers: dict[str, BatchMaker], split: RowSplit, empty_parts: bool, seed: int) -> None:
        self._makers, self._split, self._empty_parts, self._seed = makers, split, empty_parts, seed

    def __getitem__(self, drawn: BatchIndices) -> tuple[list[Counts], list[list[list[tuple[str, Fetched]]]]]:
        batches = [self._batch(drawn, number) for number in range(self._split.batches)]
        return [counts for counts, _ in batches], [fetched for _, fetched in batches]

    def _batch(self, drawn: BatchIndices, number: int) -> tuple[Counts, list[list[tuple[str, Fetched]]]]:
        """(labelled rows of each task over all processes, (source, rows) of each micro-batch in this one)."""
        counts = dict.fromkeys(drawn.tasks, 0)
        micro: list[list[tuple[str, Fetched]]] = [[] for _ in range(self._split.accumulate)]
        for name, all_rows in drawn.rows.items():
            rows, maker = self._split.batch(all_rows, number), self._makers[name]
            for task, count in maker.count(rows, drawn.tasks).items():
                counts[task] += count
            for parts, part in zip(micro, self._split.micro_batches(rows)):
                if len(part) or self._empty_parts:
                    parts.append((name, fetch(maker.source, part, self._seed, drawn.step)))
        return {task: count for task, count in counts.items() if count}, micro


def through_workers(dataset: Dataset[T], keys: Iterable[Any], workers: int, device: torch.device) -> Iterator[T]:
    """`dataset[key]` for each key, in order, made by so many processes ahead of time; 0 for this one."""
    if workers == 0:
        return (dataset[key] for key in keys)
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=keys,  # any iterable of keys will do
        num_workers=workers,
        pin_memory=pins_memory(device),
        generator=torch.Generator(),  # its own, so that worker seeds draw nothing from the network's
    )
    return iter(loader)


def fetch(source: Source, rows: Tensor, seed: int, step: int) -> Fetched:
    """The rows and `source.fetch(rows)`, whose random draws, if it makes any, depend on seed and step alone."""
    if source.in_memory:
        return rows, *source.fetch(rows)
    with _draws_of(seed, step):
        return rows, *source.fetch(rows)


@contextmanager
def _draws_of(seed: int, step: int) -> Iterator[None]:
    """Draws on the CPU of torch, NumPy and Python begin anew; those outside go on as if nothing had happened."""
    generator, drawn = torch.default_generator, mixed_seed(seed, step)
    before = generator.get_state(), np.random.get_state(), random.getstate()
    generator.manual_seed(drawn)
    np.random.seed(drawn % 2**32)
    random.seed(drawn)
    try:
        yield
    finally:
        generator.set_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])
