"""Two small pictures on one canvas: what the multi-digit data sets have in common."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mtlrun.data.source import Source, Splits, TensorSource
from mtlrun.data.split_sizes import MOST_ROWS, check_values
from mtlrun.data.statistics import channel_statistics
from mtlrun.errors import ConfigError
from mtlrun.options import whole


@dataclass(frozen=True)
class Items:
    """Square grey pictures [N, h, h] uint8 and their classes [N] int64."""

    images: Tensor
    labels: Tensor

    def take(self, rows: Tensor) -> Items:
        """The items of the given rows."""
        return Items(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class ItemPairs:
    """Canvases [P, 1, S, S] uint8 with the classes [P] int64 of the items on the left and on the right."""

    canvases: Tensor
    left: Tensor
    right: Tensor


def overlay(left: Tensor, right: Tensor, size: int, offset: int) -> Tensor:
    """Lay `left` [P, h, h] at the top left and `right` at (offset, offset); the brighter pixel wins.

    Returns:
        Canvases [P, size, size], black where neither item lies.
    """
    edge = left.shape[-1]
    assert 0 <= offset <= size - edge, "the right item must lie on the canvas"
    canvases = left.new_zeros(len(left), size, size)
    canvases[:, :edge, :edge] = left
    corner = canvases[:, offset : offset + edge, offset : offset + edge]
    torch.maximum(corner, right, out=corner)
    return canvases


def placed(items: Tensor, corners: Tensor, size: int) -> Tensor:
    """Each of the items [P, h, h] on a black canvas [P, size, size], its top left corner at `corners` [2, P]."""
    edge = items.shape[-1]
    rows, columns = (torch.arange(size)[None] - corner[:, None] for corner in corners)
    inside = ((rows >= 0) & (rows < edge))[:, :, None] & ((columns >= 0) & (columns < edge))[:, None]
    every = torch.arange(len(items))[:, None, None]
    found = items[every, rows.clamp(0, edge - 1)[:, :, None], columns.clamp(0, edge - 1)[:, None]]
    return found * inside


def shrink(images: Tensor, size: int) -> Tensor:
    """Resize [P, S, S] to [P, size, size] by the nearest pixel, measured between pixel centres."""
    pixels = ((torch.arange(size) + 0.5) * (images.shape[-1] / size)).long()
    return images[:, pixels][:, :, pixels]


def passes(num_items: int, num_draws: int, generator: torch.Generator) -> Tensor:
    """`num_draws` indices in shuffled passes over all items: none comes twice before all came once."""
    rounds = -(-num_draws // num_items)
    shuffled = [torch.randperm(num_items, generator=generator) for _ in range(rounds)]
    return torch.cat(shuffled)[:num_draws]


def draw_pairs(
    left_labels: Tensor, right_labels: Tensor, num_pairs: int, same_class: bool, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Indices [num_pairs] of the left and of the right items.

    Both sides are walked in shuffled passes. Without `same_class`, right items of the left item's class are
    drawn again, uniformly, until they differ.

    Raises:
        ConfigError: if `same_class` is off, and for some left item there is no right one of another class.
    """
    left = passes(len(left_labels), num_pairs, generator)
    right = passes(len(right_labels), num_pairs, generator)
    if same_class:
        return left, right
    only = right_labels.unique()
    if len(only) < 2 and bool((left_labels == only).any()):
        raise ConfigError("every right item has the class of some left one: set data.same_class=true")
    clashes = (left_labels[left] == right_labels[right]).nonzero().squeeze(1)
    while len(clashes):
        right[clashes] = torch.randint(len(right_labels), (len(clashes),), generator=generator)
        clashes = clashes[left_labels[left[clashes]] == right_labels[right[clashes]]]
    return left, right


Statistics = tuple[list[float], list[float]]
"""Mean and deviation of the only channel, of values from 0 to 1."""


def splits_of(name: str, pairs: list[ItemPairs], statement: str, known: Statistics | None = None) -> Splits:
    """One source per split with the tasks `left` and `right`.

    Args:
        name: of the sources.
        pairs: of training, validation and test; the training canvases' mean and deviation normalise all.
        statement: how the splits were made, in one line.
        known: mean and deviation that normalise in their place.
    """
    mean, std = known or channel_statistics(pairs[0].canvases)

    def sources(split: ItemPairs) -> list[Source]:
        targets = {"left": split.left, "right": split.right}
        return [TensorSource(name, split.canvases, targets, mean=mean, std=std)]

    train, val, test = map(sources, pairs)
    return Splits(train, val, test, statement)


def check_counts(counts: dict[str, int], size: int) -> None:
    """Raise ConfigError for numbers of pairs below one, or of canvases [size, size] that no memory holds."""
    for option, count in counts.items():
        whole(f"data.{option}", count, 1, MOST_ROWS)
    check_values(sum(counts.values()), size, size)
