"""Two overlapping pictures on one canvas, from MNIST, Fashion-MNIST or both.

The construction of Sener & Koltun, "Multi-Task Learning as Multi-Objective Optimization" (2018),
https://arxiv.org/abs/1810.04650: 28x28 items at the top left and, six pixels further down and right, at the
bottom right of a 36x36 canvas; the brighter pixel wins; shrunk to 28x28 by the nearest pixel.
`digits=both` is Multi-(Fashion+MNIST) of Lin et al., "Pareto Multi-Task Learning" (2019),
https://arxiv.org/abs/1912.12854: Fashion-MNIST at the top left, MNIST at the bottom right.

Deviations: validation pairs come from the last sixth (10,000) of the official training pictures, which the
papers' code does not set aside, and normalisation uses the statistics of the canvases, not those of single
digits. Lin et al. shift each item at random by up to four pixels; here items stay in place. They never pair
equal classes: `same_class=False`.
"""

from __future__ import annotations

from pathlib import Path

import torch

from mtlrun.data.drawn.overlay import ItemPairs, Items, check_counts, draw_pairs, overlay, shrink, splits_of
from mtlrun.data.readers.digit_files import EDGE, FASHION, MNIST, Collection, find_folder, read_items
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, choose

CANVAS = 36
DEFAULT_ROOT = "~/.cache/mtlrun"
COLLECTIONS: dict[str, tuple[Collection, Collection]] = {
    "mnist": (MNIST, MNIST),
    "fashion": (FASHION, FASHION),
    "both": (FASHION, MNIST),
}


def load(
    digits: str = "mnist",
    root: str | None = None,
    seed: int = 0,
    num_train: int = 50_000,
    num_val: int = 10_000,
    num_test: int = 10_000,
    size: int = 28,
    offset: int = 6,
    same_class: bool = True,
) -> Splits:
    """Tasks `left` and `right`, ten classes each, on canvases [N, 1, size, size].

    Args:
        digits: mnist, fashion or both.
        root: folder of the data, searched alone; None for ~/.cache/mtlrun, then the system packages.
        seed: of the pairs; the split of the pictures is fixed.
        num_train, num_val, num_test: pairs drawn within each split; more pairs than pictures walk them again.
        size: edge of the result in pixels: 28 (shrunk) or 36 (as drawn).
        offset: of the right item, in pixels of the 36x36 canvas: 6 as Sener & Koltun, 8 for the very corner.
        same_class: whether the two items of a pair may be of the same class.

    Raises:
        ConfigError: if an option is out of range.
        DataError: if the files are absent or malformed.
    """
    choose(digits, COLLECTIONS, "data.digits")
    counts = {"num_train": num_train, "num_val": num_val, "num_test": num_test}
    check_counts(counts)
    check_geometry(size, offset)
    folders = folders_of(digits, root)
    generator = torch.Generator().manual_seed(seed)
    parts = zip(*(read_parts(folder) for folder in folders))
    pairs = [
        pair_up(left, right, count, size, offset, same_class, generator)
        for (left, right), count in zip(parts, counts.values())
    ]
    return splits_of("digits", pairs, statement(folders, pairs))


def check_geometry(size: int, offset: int) -> None:
    """Raise ConfigError for a size or an offset that the construction does not know."""
    if size not in (EDGE, CANVAS):
        raise ConfigError(f"data.size must be {EDGE} (shrunk) or {CANVAS} (as drawn), found {size}")
    if not 0 <= offset <= CANVAS - EDGE:
        raise ConfigError(f"data.offset must lie between 0 and {CANVAS - EDGE} pixels, found {offset}")


def folders_of(digits: str, root: str | None) -> list[Path]:
    """The folders of the left and of the right items; a root that is named is the only place that is searched."""
    collections = COLLECTIONS[digits]
    alone = len(set(collections)) == 1
    folder = Path(root or DEFAULT_ROOT).expanduser()
    return [find_folder(collection, folder, alone, named=bool(root)) for collection in collections]


def read_parts(folder: Path) -> tuple[Items, Items, Items]:
    """Pictures for training (the first five sixths of the official training set), validation and test."""
    official = read_items(folder, "train")
    num_train = len(official.labels) * 5 // 6
    rows = torch.arange(len(official.labels))
    return official.take(rows[:num_train]), official.take(rows[num_train:]), read_items(folder, "t10k")


def pair_up(
    left: Items,
    right: Items,
    num_pairs: int,
    size: int,
    offset: int,
    same_class: bool,
    generator: torch.Generator,
) -> ItemPairs:
    """Pairs of a split's items, overlaid and brought to `size`."""
    left_rows, right_rows = draw_pairs(left.labels, right.labels, num_pairs, same_class, generator)
    left, right = left.take(left_rows), right.take(right_rows)
    canvases = overlay(left.images, right.images, CANVAS, offset)
    canvases = canvases if size == CANVAS else shrink(canvases, size)
    return ItemPairs(canvases.unsqueeze(1), left.labels, right.labels)


def statement(folders: list[Path], pairs: list[ItemPairs]) -> str:
    """How the splits were made, in one line."""
    rows = "/".join(str(len(pair.left)) for pair in pairs)
    where = " and ".join(dict.fromkeys(map(str, folders)))
    return (
        f"{rows} pairs for train/val/test, drawn among the first 5/6 and the last 1/6 of the official "
        f"training pictures and the official test pictures of {where}"
    )
