"""What the studies draw: small synthetic problems on which theory says what must happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mtlrun.data.source import Source, Splits, TensorSource


@dataclass(frozen=True)
class LinearRows:
    """Rows of a split: inputs [N, D], targets [N] per task, and bool [N] for tasks that some rows have no label of."""

    inputs: Tensor
    targets: Mapping[str, Tensor]
    labelled: Mapping[str, Tensor] = field(default_factory=dict)


def splits_of(name: str, train: LinearRows, val: LinearRows, test: LinearRows, statement: str) -> Splits:
    """One source per split."""

    def sources(rows: LinearRows) -> list[Source]:
        return [TensorSource(name, rows.inputs, rows.targets, rows.labelled)]

    return Splits(sources(train), sources(val), sources(test), statement)


def rows_of_their_own(counts: Mapping[str, int], draw: Callable[[str, int], tuple[Tensor, Tensor]]) -> LinearRows:
    """Rows in which each task has its own: `draw(task, count)` gives their inputs [count, D] and targets [count]."""
    parts = {task: draw(task, count) for task, count in counts.items()}
    total, start = sum(counts.values()), 0
    targets, labelled = {}, {}
    for task, (_, values) in parts.items():
        here = slice(start, start + len(values))
        targets[task] = torch.zeros(total)
        targets[task][here] = values
        labelled[task] = torch.zeros(total, dtype=torch.bool)
        labelled[task][here] = True
        start += len(values)
    return LinearRows(torch.cat([inputs for inputs, _ in parts.values()]), targets, labelled)


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator)


def directions(count: int, dimensions: int, generator: torch.Generator) -> Tensor:
    """Random orthonormal rows [count, dimensions]."""
    return torch.linalg.qr(normal(generator, dimensions, count))[0].T.contiguous()


def signs(count: int, generator: torch.Generator) -> Tensor:
    """-1 or 1 with equal probability, [count]."""
    return torch.randint(2, (count,), generator=generator) * 2 - 1


def linear(vector: Tensor, count: int, noise: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs [count, d] and noisy labels [count]."""
    inputs = normal(generator, count, len(vector))
    return inputs, inputs @ vector + noise * normal(generator, count)
