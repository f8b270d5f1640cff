"""Pools: the tasks that are labelled on the same rows of the same source, drawn together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlrun.data.source import Source


@dataclass(frozen=True)
class Pool:
    """tasks: drawn together; rows: the row numbers [n] of the source that are labelled for them."""

    source: str
    tasks: tuple[str, ...]
    rows: Tensor


def make_pools(sources: Sequence[Source], tasks: Collection[str]) -> list[Pool]:
    """The pools of these tasks, in the order of the sources and their tasks."""
    pools: list[Pool] = []
    for source in sources:
        masks: list[tuple[Tensor, list[str]]] = []
        for task in (task for task in source.tasks if task in tasks):
            mask = source.labelled(task)
            alike = next((names for other, names in masks if torch.equal(other, mask)), None)
            if alike is None:
                masks.append((mask, [task]))
            else:
                alike.append(task)
        pools += [Pool(source.name, tuple(names), mask.nonzero().squeeze(1)) for mask, names in masks if mask.any()]
    return pools


def task_sizes(pools: Sequence[Pool], tasks: Sequence[str]) -> dict[str, int]:
    """Labelled rows of each task over all pools."""
    return {task: sum(len(pool.rows) for pool in pools if task in pool.tasks) for task in tasks}
