"""Pictures that a task set draws itself: row by row, split by index, and kept on disk."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtlrun.data.array_cache import Arrays, code_version, file_name, kept
from mtlrun.data.split_sizes import FIRST_INDEX, SPLITS, check_values

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DrawingRecipe:
    """package: whose code draws; folder: for its files in a cache; kind: what is drawn; options: all that the drawing
    depends on; row: name -> shape and dtype of each array of one row; draw: index -> those arrays, in that order. A row
    depends on nothing but its index.
    """

    package: str
    folder: str
    kind: str
    options: Mapping[str, int]
    row: Mapping[str, tuple[tuple[int, ...], str]]
    draw: Callable[[int], Sequence[np.ndarray | int]]

    def check_room(self, sizes: Mapping[str, int]) -> None:
        """Raise ConfigError for more rows, by split, than memory can hold."""
        check_values(sum(sizes.values()), sum(math.prod(shape) for shape, _ in self.row.values()))

    def make(self, rows: range) -> Arrays:
        """Draw these rows: name -> [N, ...]."""
        arrays = {name: np.empty((len(rows), *shape), dtype) for name, (shape, dtype) in self.row.items()}
        for position, index in enumerate(rows):
            for array, value in zip(arrays.values(), self.draw(index)):
                array[position] = value
        return arrays

    def fits(self, arrays: Arrays, count: int) -> bool:
        """Whether the arrays have the shapes and dtypes of `count` rows."""
        return arrays.keys() == self.row.keys() and all(
            arrays[name].shape == (count, *shape) and arrays[name].dtype == np.dtype(dtype)
            for name, (shape, dtype) in self.row.items()
        )


def draw_splits(recipe: DrawingRecipe, sizes: Mapping[str, int], cache: str | None) -> dict[str, Arrays]:
    """The drawings of each split, from its own range of indices.

    Args:
        recipe: draws the rows.
        sizes: rows per split.
        cache: folder in which drawings are kept, in the recipe's subfolder; None for nowhere.

    Raises:
        ConfigError: if they are more than memory can hold.
    """
    recipe.check_room(sizes)
    folder = Path(cache).expanduser() / recipe.folder if cache else None
    return {
        split: _rows(recipe, range(FIRST_INDEX[split], FIRST_INDEX[split] + size), folder)
        for split, size in sizes.items()
    }


def counted(sizes: Mapping[str, int]) -> str:
    """The sizes of the splits as train/val/test."""
    return "/".join(str(sizes[split]) for split in SPLITS)


def _rows(recipe: DrawingRecipe, rows: range, folder: Path | None) -> Arrays:
    key = {"code": code_version(recipe.package), "first": rows.start, "rows": len(rows), **recipe.options}

    def make() -> Arrays:
        log.info("drawing %d %s", len(rows), recipe.kind)
        return recipe.make(rows)

    path = None if folder is None else folder / file_name(recipe.kind, key)
    return kept(path, make, lambda arrays: recipe.fits(arrays, len(rows)))
