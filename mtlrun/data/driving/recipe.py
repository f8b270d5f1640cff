"""How rows of a data set are drawn, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """kind: what is drawn; options: all that the drawing depends on; row: name -> shape and dtype of each
    array of one row; draw: index -> those arrays, in that order. A row depends on nothing but its index."""

    kind: str
    options: Mapping[str, int]
    row: Mapping[str, tuple[tuple[int, ...], str]]
    draw: Callable[[int], Sequence[np.ndarray | int]]

    def make(self, rows: range) -> Arrays:
        """Draw these rows: name -> [N, ...]."""
        arrays = {name: np.empty((len(rows), *shape), dtype) for name, (shape, dtype) in self.row.items()}
        for place, index in enumerate(rows):
            for array, value in zip(arrays.values(), self.draw(index)):
                array[place] = value
        return arrays

    def fits(self, arrays: Arrays, count: int) -> bool:
        """Whether the arrays have the shapes and dtypes of `count` rows."""
        return all(
            arrays[name].shape == (count, *shape) and arrays[name].dtype == np.dtype(dtype)
            for name, (shape, dtype) in self.row.items()
        )
