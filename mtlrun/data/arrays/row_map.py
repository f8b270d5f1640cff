"""Rows of .npy files that stay on disk: the operating system reads the pages that are asked for, and drops them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.array_inputs import with_channels
from mtlrun.data.arrays.mapped_file import MappedFile

CHUNK_BYTES = 2**23
"""Of a file that are looked at together."""


class RowMap:
    """Inputs [N, D] or [N, C, H, W] of files one after the other, memory-mapped; never in memory as a whole.

    Pickled as the names of the files, which a data worker maps again.

    Args:
        files: .npy files whose rows are alike.
        name: of the array, for messages.
        channels: where images have their channels, see `with_channels`.
    """

    def __init__(self, files: Sequence[Path], name: str, channels: str = "auto") -> None:
        self.files, self.name, self.channels = tuple(files), name, channels
        self._parts = [MappedFile(file) for file in self.files]
        self._starts = np.cumsum([0, *map(len, self._parts)])
        self.dtype = np.result_type(*(part.values.dtype for part in self._parts)).newbyteorder("=")
        self.row_shape: tuple[int, ...] = self._formed(self._parts[0].values[:0]).shape[1:]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, rows: Array, /) -> Array:
        """Rows [n] in that order, in memory, as the files' numbers."""
        if len(self._parts) == 1:
            return self._formed(self._parts[0].rows(rows).astype(self.dtype, copy=False))
        taken = np.empty((len(rows), *self._parts[0].values.shape[1:]), self.dtype)
        places = np.searchsorted(self._starts, rows, side="right") - 1
        for place, (part, start) in enumerate(zip(self._parts, self._starts)):
            here = places == place
            taken[here] = part.rows(rows[here] - start)
        return self._formed(taken)

    def chunks(self) -> Iterator[tuple[int, Array]]:
        """All rows in order, some megabytes at a time: (number of the first one, [n, ...])."""
        for part, start in zip(self._parts, self._starts):
            size = max(1, CHUNK_BYTES // max(1, part.values[:1].nbytes))
            for first in range(0, len(part), size):
                yield int(start) + first, self._formed(part.stretch(first, first + size).astype(self.dtype))

    def _formed(self, values: Array) -> Array:
        return with_channels(self.name, values, self.channels)

    def __getstate__(self) -> dict[str, object]:
        return {"files": self.files, "name": self.name, "channels": self.channels}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(**state)  # type: ignore[misc]
