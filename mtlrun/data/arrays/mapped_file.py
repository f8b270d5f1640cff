"""A .npy file that stays on the disk, with word to the system of what will be read."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.arrays.npy_files import opened

PAGE = mmap.PAGESIZE


class MappedFile:
    """Rows of a mapped array, [N, ...].

    By itself the system reads some hundred kilobytes around a row that is asked for, which is a waste where rows are
    drawn in any order, and waits for one row before it begins with the next. It is told to do neither: from a file that
    is larger than memory some hundred times as many rows come in a second.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        mapped = opened(path, mapped=True)
        self.values: Array = np.asarray(mapped)
        self._map = mapped.base if isinstance(mapped.base, mmap.mmap) and hasattr(mapped.base, "madvise") else None
        self._first = getattr(mapped, "offset", 0)
        self._row_bytes = self.values[:1].nbytes
        if not self.values.flags.c_contiguous or not self._row_bytes:
            self._map = None  # the numbers of a row lie apart
        if self._map is not None:
            self._map.madvise(mmap.MADV_RANDOM)

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, rows: Array) -> Array:
        """Rows [n] in that order."""
        self._ahead((int(row), 1) for row in rows)
        return self.values[rows]

    def stretch(self, start: int, stop: int) -> Array:
        """Rows from one to before another."""
        self._ahead([(start, min(stop, len(self)) - start)])
        return self.values[start:stop]

    def _ahead(self, stretches: Iterable[tuple[int, int]]) -> None:
        """Have these read, each a first row and a number of rows."""
        if self._map is None:
            return
        for row, count in stretches:
            begin = self._first + row * self._row_bytes
            page = begin - begin % PAGE
            self._map.madvise(mmap.MADV_WILLNEED, page, begin - page + count * self._row_bytes)
