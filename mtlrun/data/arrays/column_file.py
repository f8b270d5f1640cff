"""A table of numbers on the disk, column after column: written by columns or rows, and read by either."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from mtlrun.data.array_cache import Array


class ColumnFile:
    """Columns of `rows` numbers each, in a file without a name, which is gone when it is closed or the process ends.

    Ordinary reads and writes, not a map: on a full disk these raise OSError, and a map ends the process.

    Args:
        folder: on whose disk it lies.
        rows: of the table.
        dtype: of its numbers.
    """

    def __init__(self, folder: Path, rows: int, dtype: Any) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed by `close`
        self._rows, self._dtype = rows, np.dtype(dtype)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def write_column(self, place: int, values: Array) -> None:
        """All of a column [rows]."""
        self._write(place, 0, values)

    def write_rows(self, start: int, values: Array) -> None:
        """Rows [n, columns] from a row on."""
        for place, column in enumerate(values.T):
            self._write(place, start, column)

    def column(self, place: int) -> Array:
        """[rows]"""
        return self._read(place, 0, self._rows)

    def rows(self, start: int, stop: int, places: Sequence[int]) -> Array:
        """Rows [stop - start, places] of the columns at these places, one after the other in memory."""
        values = np.empty((stop - start, len(places)), self._dtype)
        if hasattr(os, "posix_fadvise"):  # all at once on their way: one after the other each would be waited for
            size = (stop - start) * self._dtype.itemsize
            for place in places:
                os.posix_fadvise(self._file.fileno(), self._offset(place, start), size, os.POSIX_FADV_WILLNEED)
        for at, place in enumerate(places):
            values[:, at] = self._read(place, start, stop)
        return values

    def _write(self, place: int, start: int, values: Array) -> None:
        content, at = memoryview(values.astype(self._dtype).tobytes()), self._offset(place, start)
        while content:  # a single write ends at 2 GB
            written = os.pwrite(self._file.fileno(), content, at)
            content, at = content[written:], at + written

    def _read(self, place: int, start: int, stop: int) -> Array:
        self._file.seek(self._offset(place, start))
        return np.fromfile(self._file, self._dtype, stop - start)

    def _offset(self, place: int, row: int) -> int:
        return (place * self._rows + row) * self._dtype.itemsize
