"""From drawn row numbers to batches on the device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mtlrun.data.source import Source
from mtlrun.samplers.draw import Draw
from mtlrun.training.devices import pins_memory, to_device
from mtlrun.types import Batch

Fetched = list[tuple[str, Tensor, Tensor, dict[str, Tensor]]]
"""One micro-batch: (source, rows, inputs, targets) each."""


@dataclass
class StepBatch:
    """micro: per micro-batch one Batch per source; counts: labelled rows of each task in the whole step."""

    micro: list[list[Batch]]
    counts: dict[str, int]


class Loader:
    """Turns draws into batches: whole gathers in this process if every source is in memory, else in workers.

    Args:
        sources: of the training split.
        device: where batches go.
        accumulate: micro-batches per step.
        workers: processes for sources that are not in memory.
        memory_format: of image inputs.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        device: torch.device,
        accumulate: int = 1,
        workers: int = 0,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._device, self._accumulate, self._memory_format = device, accumulate, memory_format
        self._workers = 0 if all(source.in_memory for source in sources) else workers
        self._labelled = {
            source.name: {task: mask for task in source.tasks if not (mask := source.labelled(task)).all()}
            for source in sources
        }

    def batches(self, draws: Iterable[Draw]) -> Iterator[StepBatch]:
        """One StepBatch per draw, in order."""
        fetch = _Fetch(self._sources, self._accumulate)
        if self._workers == 0:
            return (self._step(*fetch[draw]) for draw in draws)
        loader = DataLoader(
            fetch,
            batch_size=None,
            sampler=draws,  # any iterable of keys will do
            num_workers=self._workers,
            pin_memory=pins_memory(self._device),
            generator=torch.Generator(),  # its own, so that worker seeds draw nothing from the network's
        )
        return (self._step(draw, fetched) for draw, fetched in loader)

    def _step(self, draw: Draw, fetched: list[Fetched]) -> StepBatch:
        micro = [[self._batch(draw, *part) for part in parts] for parts in fetched]
        counts = dict.fromkeys(draw.tasks, 0)
        for batch in (batch for parts in micro for batch in parts):
            for task, targets in batch.targets.items():
                counts[task] += len(targets)
        return StepBatch(micro, {task: count for task, count in counts.items() if count})

    def _batch(self, draw: Draw, name: str, rows: Tensor, inputs: Tensor, targets: dict[str, Tensor]) -> Batch:
        source = self._sources[name]
        return make_batch(
            source, rows, inputs, targets, draw.tasks, self._labelled[name], self._device, self._memory_format
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
) -> Batch:
    """A Batch on the device from fetched rows [B]; tasks without a labelled row among them are left out.

    Args:
        labelled: bool [N] of the tasks that are not labelled on every row.
    """
    inputs = source.prepare(to_device(inputs, device))
    if inputs.dim() == 4:
        inputs = inputs.contiguous(memory_format=memory_format)
    batch = Batch(source.name, inputs, {}, {})
    for task in (task for task in source.tasks if task in tasks):
        places = labelled[task][rows].nonzero().squeeze(1) if task in labelled else None
        if places is None or len(places) == len(rows):
            batch.targets[task], batch.rows[task] = to_device(targets[task], device), None
        elif len(places):
            places = to_device(places, device)
            batch.targets[task] = to_device(targets[task], device).index_select(0, places)
            batch.rows[task] = places
    return batch


class _Fetch(Dataset[tuple[Draw, list[Fetched]]]):
    """Fetches the rows of a draw, split into micro-batches; lives in the workers."""

    def __init__(self, sources: dict[str, Source], accumulate: int) -> None:
        self._sources, self._accumulate = sources, accumulate

    def __getitem__(self, draw: Draw) -> tuple[Draw, list[Fetched]]:
        micro: list[Fetched] = [[] for _ in range(self._accumulate)]
        for name, rows in draw.rows.items():
            for place, part in enumerate(rows.tensor_split(self._accumulate)):
                if len(part):
                    micro[place].append((name, part, *self._sources[name].fetch(part)))
        return draw, [parts for parts in micro if parts]
