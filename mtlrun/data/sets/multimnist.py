"""Two overlapping pictures on one canvas, from MNIST, Fashion-MNIST or both.

The construction of Sener & Koltun, "Multi-Task Learning as Multi-Objective Optimization" (2018),
https://arxiv.org/abs/1810.04650: 28x28 items at the top left and, six pixels further down and right, at the
bottom right of a 36x36 canvas; the brighter pixel wins; shrunk to 28x28 by the nearest pixel.
`digits=both` is Multi-(Fashion+MNIST) of Lin et al., "Pareto Multi-Task Learning" (2019),
https://arxiv.org/abs/1912.12854: Fashion-MNIST at the top left, MNIST at the bottom right.

Deviations by default: validation pairs come from the last sixth (10,000) of the official training pictures, which
Sener and Koltun's code does not set aside (`held_out=False`; Kurin et al., arXiv:2201.04122, do), and normalisation
uses the statistics of the canvases, not those of single digits (`normalisation=digits`).

Lin et al.: `size=36 offset=8 shift=4 same_class=False held_out=False`, 120,000 and 20,000 pairs. Their generator is not
published; "each may shift by up to four pixels" is read as away from its corner, so that tasks stay left and right.
"""

from __future__ import annotations

from pathlib import Path

import torch

from mtlrun.data.drawn.overlay import ItemPairs, Items, check_counts, draw_pairs, overlay, placed, shrink, splits_of
from mtlrun.data.readers.digit_files import EDGE, FASHION, MNIST, Collection, find_folder, read_items
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, choose
from mtlrun.options import flag, whole

CANVAS = 36
DIGITS = ([0.1307], [0.3081])
"""Mean and deviation of single MNIST digits, by which the code of Sener & Koltun normalises canvases too."""
NORMALISATIONS = ("canvases", "digits", "none")
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
    shift: int = 0,
    held_out: bool = True,
    normalisation: str = "canvases",
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
        shift: largest number of pixels, down and right and each drawn, by which an item is moved from its place: the
            left one away from its corner, the right one towards it.
        held_out: whether validation has pictures of its own. If not, all official training pictures are trained on,
            and validation pairs are other pairs of the same pictures: they say little, so choose
            `trainer.select=last`, or by name `trainer.select_on=test`.
        normalisation: canvases (statistics of the training canvases), digits (those of single MNIST digits) or none
            (values from 0 to 1).

    Raises:
        ConfigError: if an option is out of range.
        DataError: if the files are absent or malformed.
    """
    choose(digits, COLLECTIONS, "data.digits")
    counts = {"num_train": num_train, "num_val": num_val, "num_test": num_test}
    check_geometry(size, offset, shift)
    check_counts(counts, CANVAS)
    flag("data.held_out", held_out)
    choose(normalisation, NORMALISATIONS, "data.normalisation")
    folders = folders_of(digits, root)
    generator = torch.Generator().manual_seed(seed)
    parts = zip(*(read_parts(folder, held_out) for folder in folders))
    pairs = [
        pair_up(left, right, count, size, (offset, shift), same_class, generator)
        for (left, right), count in zip(parts, counts.values())
    ]
    known = {"canvases": None, "digits": DIGITS, "none": ([0.0], [1.0])}[normalisation]
    return splits_of("digits", pairs, statement(folders, pairs, held_out), known)


def check_geometry(size: int, offset: int, shift: int = 0) -> None:
    """Raise ConfigError for a size or an offset that the construction does not know."""
    if size not in (EDGE, CANVAS):
        raise ConfigError(f"data.size must be {EDGE} (shrunk) or {CANVAS} (as drawn), found {size}")
    if not 0 <= offset <= CANVAS - EDGE:
        raise ConfigError(f"data.offset must lie between 0 and {CANVAS - EDGE} pixels, found {offset}")
    if whole("data.shift", shift, 0) > offset:
        raise ConfigError(f"data.shift={shift}: must be at most data.offset={offset}, or items would leave the canvas")


def folders_of(digits: str, root: str | None) -> list[Path]:
    """The folders of the left and of the right items; a root that is named is the only place that is searched."""
    collections = COLLECTIONS[digits]
    alone = len(set(collections)) == 1
    folder = Path(root or DEFAULT_ROOT).expanduser()
    return [find_folder(collection, folder, alone, named=bool(root)) for collection in collections]


def read_parts(folder: Path, held_out: bool = True) -> tuple[Items, Items, Items]:
    """Pictures for training (the first five sixths of the official training set), validation and test.

    Without `held_out` the whole official training set, twice, and the test set.
    """
    official = read_items(folder, "train")
    if not held_out:
        return official, official, read_items(folder, "t10k")
    num_train = len(official.labels) * 5 // 6
    rows = torch.arange(len(official.labels))
    return official.take(rows[:num_train]), official.take(rows[num_train:]), read_items(folder, "t10k")


def pair_up(
    left: Items,
    right: Items,
    num_pairs: int,
    size: int,
    places: tuple[int, int],
    same_class: bool,
    generator: torch.Generator,
) -> ItemPairs:
    """Pairs of a split's items, overlaid and brought to `size`; `places` are the offset and the largest shift."""
    left_rows, right_rows = draw_pairs(left.labels, right.labels, num_pairs, same_class, generator)
    left, right = left.take(left_rows), right.take(right_rows)
    canvases = _laid(left, right, places, generator)
    canvases = canvases if size == CANVAS else shrink(canvases, size)
    return ItemPairs(canvases.unsqueeze(1), left.labels, right.labels)


def _laid(left: Items, right: Items, places: tuple[int, int], generator: torch.Generator) -> torch.Tensor:
    """Canvases [P, 36, 36]."""
    offset, shift = places
    if not shift:
        return overlay(left.images, right.images, CANVAS, offset)
    moves = torch.randint(shift + 1, (2, 2, len(left.labels)), generator=generator)
    return torch.maximum(placed(left.images, moves[0], CANVAS), placed(right.images, offset - moves[1], CANVAS))


def statement(folders: list[Path], pairs: list[ItemPairs], held_out: bool = True) -> str:
    """How the splits were made, in one line."""
    rows = "/".join(str(len(pair.left)) for pair in pairs)
    where = " and ".join(dict.fromkeys(map(str, folders)))
    if not held_out:
        return (
            f"{rows} pairs for train/val/test, drawn among the official training pictures (both train and val) and the "
            f"official test pictures of {where}"
        )
    return (
        f"{rows} pairs for train/val/test, drawn among the first 5/6 and the last 1/6 of the official "
        f"training pictures and the official test pictures of {where}"
    )
