"""Splits in which every class that is rare has its share of each split.

As in iterative stratification (Sechidis, Tsoumakas & Vlahavas, "On the stratification of multi-label data", 2011):
classes in turn, the rarest first, and each of their rows to the split that wants most of the class; the other rows at
random.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.data.label_kinds import Labels
from mtlrun.data.row_splits import Rows

EXPECTED = 5
"""A class is rare if a random split would give val or test fewer rows of it than this, on average."""


def rare_classes(labels: Mapping[str, Labels], sizes: Mapping[str, int]) -> dict[str, list[int]]:
    """Task -> its classes that are rare, of one-class-a-row tasks; tasks without one are left out.

    Args:
        labels: of all tasks, for the rows that are split.
        sizes: rows of each split.
    """
    smallest = min(sizes[split] for split in sizes if split != "train") / max(sum(sizes.values()), 1)
    found = {task: _rare(label, smallest) for task, label in labels.items() if label.name == "Classification"}
    return {task: classes for task, classes in found.items() if classes}


def _rare(label: Labels, share: float) -> list[int]:
    counts = torch.bincount(label.values[label.labelled])
    return [index for index, count in enumerate(counts.tolist()) if count and count * share < EXPECTED]


def stratified(
    labels: Mapping[str, Labels], rare: Mapping[str, list[int]], sizes: Mapping[str, int], seed: int
) -> Rows:
    """Rows of each split, of the sizes that are given.

    Args:
        labels: of all tasks, for the rows that are split.
        rare: as `rare_classes` gives them.
        sizes: rows of each split, train first, which add up to all rows.
        seed: of the order in which rows are taken.
    """
    total = sum(sizes.values())
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    assigned = torch.full((total,), -1, dtype=torch.int64)
    room = torch.tensor([sizes[split] for split in sizes], dtype=torch.float64)
    members = [_members(labels[task], index)[order] for task, classes in rare.items() for index in classes]
    for mask in sorted(members, key=lambda mask: int(mask.sum())):
        _assign(order[mask], assigned, room, _wanted(int(mask.sum()), sizes))
    rest = order[assigned[order] < 0]
    for place, part in enumerate(rest.split([int(count) for count in room.tolist()])):
        assigned[part] = place
    return {split: order[assigned[order] == place] for place, split in enumerate(sizes)}


def _members(label: Labels, index: int) -> Tensor:
    return label.labelled & (label.values == index)


def _wanted(count: int, sizes: Mapping[str, int]) -> Tensor:
    """Rows of a class for each split, which add up to `count`: its share, and one at least where there are three."""
    total = sum(sizes.values())
    wanted = torch.tensor([count * sizes[split] / total for split in sizes], dtype=torch.float64)
    if count < len(sizes) or bool((wanted >= 1).all()):
        return wanted
    wanted[1:].clamp_min_(1.0)
    wanted[0] = count - wanted[1:].sum()
    return wanted if wanted[0] >= 1 else 1 + (count - len(sizes)) * wanted / wanted.sum()


def _assign(rows: Tensor, assigned: Tensor, room: Tensor, wanted: Tensor) -> None:
    """Give each row that has no split yet to the one that wants the class most, of those with room."""
    for place in assigned[rows[assigned[rows] >= 0]].tolist():
        wanted[place] -= 1
    for row in rows[assigned[rows] < 0].tolist():
        place = int(torch.where(room >= 1, wanted, -torch.inf).argmax())
        assigned[row] = place
        wanted[place] -= 1
        room[place] -= 1
