"""Boxes of pictures: as files of labels name them, and as rows of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtlrun.data.readers.image_files import PictureRows, Size

Box = tuple[int, float, float, float, float]
"""Class (see `mtlrun.types.region_of`), left, top, right, bottom, in pixels of the picture."""


@dataclass(frozen=True)
class BoxLabels:
    """The boxes that files of labels name.

    classes: names, in the order of their numbers.
    boxes: of each picture, by the name that the files give it; [] for one in which nothing is.
    sizes: what the files state of pictures, by the same names.
    relative: whether edges are shares of the picture's width and height, and not pixels.
    how: where the names of the classes are from, and what else was made of the files.
    """

    classes: list[str]
    boxes: Mapping[str, list[Box]]
    sizes: Mapping[str, Size] = field(default_factory=dict)
    relative: bool = False
    how: str = ""


class Boxes(PictureRows):
    """Boxes of each row, float32 [M, 5] (class, x1, y1, x2, y2), padded with class -1; M is the most of any row.

    most: boxes of any row that are no ignored regions.

    Args:
        boxes: of each row, in pixels of the files; None for a row without labels.
        files: size of the pictures in the files: one for all, or a list with one for each row.
        size: of the rows; boxes are scaled to it and cut at its edges.
        smallest: boxes with a side below so many pixels of the rows are left out.
    """

    def __init__(
        self, boxes: Sequence[list[Box] | None], files: Size | list[Size], size: Size, smallest: float
    ) -> None:
        sizes = files if isinstance(files, list) else [files] * len(boxes)
        limit = np.array([size[1], size[0]] * 2, dtype=np.float32)
        self._rows = [
            _scaled(row or [], np.array([size[1] / width, size[0] / height] * 2, dtype=np.float32), limit, smallest)
            for row, (height, width) in zip(boxes, sizes)
        ]
        self.shape = (max([1, *(len(row) for row in self._rows)]), 5)
        self.most = max([0, *(int((row[:, 0] >= 0).sum()) for row in self._rows)])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def count(self) -> int:
        """Boxes of all rows, ignored regions too."""
        return sum(map(len, self._rows))

    def read(self, row: int) -> NDArray[np.float32]:
        padded = np.zeros(self.shape, dtype=np.float32)
        padded[:, 0] = -1
        padded[: len(self._rows[row])] = self._rows[row]
        return padded


def _scaled(
    boxes: list[Box], scale: NDArray[np.float32], limit: NDArray[np.float32], smallest: float
) -> NDArray[np.float32]:
    values = np.array(boxes, dtype=np.float32).reshape(-1, 5)
    values[:, 1:] = np.clip(values[:, 1:] * scale, 0, limit)
    sides = values[:, 3:] - values[:, 1:3]
    return values[(sides >= smallest).all(1)]
