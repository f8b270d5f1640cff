"""Two handwritten digits on one canvas: real data without a download.

The digits are the 1,797 of 8x8 pixels that ship with scikit-learn, from Alpaydin & Kaynak, "Optical
Recognition of Handwritten Digits" (UCI, 1998), https://doi.org/10.24432/C50P49. They are split
before any pair is drawn, so that no digit appears in two splits.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mtlrun.data.drawn.overlay import ItemPairs, Items, check_counts, draw_pairs, overlay, splits_of
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError
from mtlrun.options import whole

DIGIT_EDGE = 8
MOST_PIXELS = 4096
HELD_OUT = 0.2  # share of the digits that validation, and as many that test, has to itself


def load(
    seed: int = 0,
    num_train: int = 6000,
    num_val: int = 1000,
    num_test: int = 1000,
    scale: int = 3,
    size: int = 28,
    same_class: bool = True,
) -> Splits:
    """Tasks `left` and `right`, ten classes each, on canvases [N, 1, size, size].

    Args:
        seed: of the split and of the pairs.
        num_train, num_val, num_test: pairs drawn within each split.
        scale: enlargement of the 8x8 digits, bilinear.
        size: edge of the canvas in pixels; the smaller, the more the digits overlap.
        same_class: whether the two digits of a pair may be of the same class.

    Raises:
        ConfigError: if a count or the size is out of range, or the canvas cannot hold a digit.
    """
    counts = {"num_train": num_train, "num_val": num_val, "num_test": num_test}
    whole("data.size", size, 1, MOST_PIXELS)
    check_counts(counts, size)
    if scale < 1 or size < DIGIT_EDGE * scale:
        needed = DIGIT_EDGE * max(scale, 1)
        raise ConfigError(f"data.scale={scale} needs data.size={needed} pixels or more, found data.size={size}")
    digits = load_digits(scale)
    generator = torch.Generator().manual_seed(seed)
    parts = [digits.take(rows) for rows in split_rows(len(digits.labels), generator)]
    pairs = [pair_up(part, count, size, same_class, generator) for part, count in zip(parts, counts.values())]
    return splits_of("digits", pairs, statement(parts, pairs))


def load_digits(scale: int) -> Items:
    """All digits, enlarged to [1797, 8 * scale, 8 * scale]."""
    from sklearn import datasets  # slow to import, and only this data set needs it

    digits = datasets.load_digits()
    images = torch.from_numpy(digits.images).float().div(16).unsqueeze(1)
    large = F.interpolate(images, scale_factor=scale, mode="bilinear", align_corners=False).squeeze(1)
    return Items((large * 255).round().to(torch.uint8), torch.from_numpy(digits.target).long())


def split_rows(num_rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Disjoint rows for training, validation and test that together are all rows."""
    held_out = int(num_rows * HELD_OUT)
    train, val, test = torch.randperm(num_rows, generator=generator).split(
        [num_rows - 2 * held_out, held_out, held_out]
    )
    return train, val, test


def pair_up(items: Items, num_pairs: int, size: int, same_class: bool, generator: torch.Generator) -> ItemPairs:
    """Pairs of the given digits, in opposite corners of the canvas."""
    left, right = draw_pairs(items.labels, items.labels, num_pairs, same_class, generator)
    offset = size - items.images.shape[-1]
    canvases = overlay(items.images[left], items.images[right], size, offset)
    return ItemPairs(canvases.unsqueeze(1), items.labels[left], items.labels[right])


def statement(parts: list[Items], pairs: list[ItemPairs]) -> str:
    """How the splits were made, in one line."""
    digits = "/".join(str(len(part.labels)) for part in parts)
    rows = "/".join(str(len(pair.left)) for pair in pairs)
    return f"{digits} different digits for train/val/test (no digit in two), {rows} pairs drawn among them"
