"""Rows out of sources: the same ones with the same random draws, in this process or in data workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mtlrun.data.source import Source
from mtlrun.seeds import mixed_seed
from mtlrun.training.devices import pins_memory

T = TypeVar("T")


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


def fetch(source: Source, rows: Tensor, seed: int, step: int) -> tuple[Tensor, dict[str, Tensor]]:
    """`source.fetch(rows)`, whose random draws, if it makes any, depend on seed and step alone."""
    if source.in_memory:
        return source.fetch(rows)
    with _draws_of(seed, step):
        return source.fetch(rows)


@contextmanager
def _draws_of(seed: int, step: int) -> Iterator[None]:
    """Torch's draws on the CPU begin anew; those outside go on as if nothing had happened."""
    generator = torch.default_generator
    before = generator.get_state()
    generator.manual_seed(mixed_seed(seed, step))
    try:
        yield
    finally:
        generator.set_state(before)
