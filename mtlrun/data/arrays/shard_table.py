"""Folders of Parquet or Arrow files as a table whose columns are read when they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.arrays.column_file import ColumnFile
from mtlrun.data.arrays.shards import ShardFolder
from mtlrun.data.tables.arrow_columns import EXACT_IN_FLOAT32, column_of_arrow, column_of_entries, rows_of_lists
from mtlrun.data.tables.raw import COMMA, EITHER, RawColumn, RawTable, doubted, points_in_doubt, stacked
from mtlrun.data.tables.vectors import check_apart
from mtlrun.errors import DataError

BLOCK_BYTES = 2**24
"""Of lists that are turned into columns together."""
LIST_ROWS = 2**12
"""Lists that are decoded together."""


@dataclass(frozen=True)
class ShardTable(RawTable):
    """A table whose `columns` are read when they are asked for. counts: rows of each folder. files: of all of them."""

    columns: ShardColumns
    counts: Sequence[int] = ()
    files: Sequence[Path] = ()

    def __len__(self) -> int:
        return sum(self.counts)


def shard_table(folders: Sequence[Path], scratch: Path, as_words: Collection[str] = ()) -> ShardTable:
    """The rows of the folders, one after the other.

    Args:
        folders: of shards, see `shards_of`; those after the first have its columns.
        scratch: folder on whose disk columns of lists are turned.
        as_words: names of columns whose texts are words, whatever they look like.

    Raises:
        ConfigError: if pyarrow is not installed.
        DataError: if a file is damaged, or a folder has no row or lacks a column.
    """
    shards = [ShardFolder(folder) for folder in folders]
    for one in shards:
        if not one.rows or not one.names:
            raise DataError(f"{one.folder} holds {one.rows} rows of {len(one.names)} columns")
        lacking = next((name for name in shards[0].names if name not in one.names), None)
        if lacking is not None:
            raise DataError(f"{one.folder} has no column '{lacking}', which {folders[0]} has")
    files = [file for one in shards for file in one.files]
    return ShardTable(ShardColumns(shards, scratch, as_words), [], [one.rows for one in shards], files)


class ShardColumns(Mapping[str, RawColumn]):
    """Columns by name, see `shard_table`. One is in memory as long as whoever asked for it keeps it; the entries of a
    vector are in a file of their own on the disk while they are asked for one after the other."""

    def __init__(self, shards: Sequence[ShardFolder], scratch: Path, as_words: Collection[str]) -> None:
        self._shards, self._scratch, self._as_words = shards, scratch, as_words
        self._turned: tuple[str, ColumnFile | None] = ("", None)
        self._marks: dict[str, str] = {}
        self._entries = shards[0].entries
        parts: dict[str, list[str]] = {name: [] for name in shards[0].names}
        for column, (vector, _) in self._entries.items():
            parts[vector].append(column)
        names = [column for name, entries in parts.items() for column in entries or [name]]
        check_apart(shards[0].folder, names)
        self._names = dict.fromkeys(names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, name: str) -> RawColumn:
        if name not in self._names:
            raise KeyError(name)
        if name in self._entries:
            vector, place = self._entries[name]
            kinds = [one.kind(vector).value_type for one in self._shards]
            return column_of_entries(name, self._entries_of(vector).column(place), kinds)
        parts = [self._of_folder(one, name) for one in self._shards]
        folders = [one.folder for one in self._shards]
        whole = parts[0]
        for folder, part in zip(folders[1:], parts[1:]):
            whole = stacked(whole, part, (folders[0], folder))
        return self._without_doubt(whole)

    def close(self) -> None:
        """Let go of the entries of a vector on the disk; asked for again, they are written again."""
        if self._turned[1] is not None:
            self._turned[1].close()
        self._turned = ("", None)

    def _of_folder(self, shards: ShardFolder, name: str) -> RawColumn:
        return column_of_arrow(name, shards.column(name), name in self._as_words, shards.class_names.get(name, ()))

    def _entries_of(self, vector: str) -> ColumnFile:
        """The vectors of all rows, entry after entry."""
        name, turned = self._turned
        if turned is not None and name == vector:
            return turned
        self.close()
        kinds = [str(one.kind(vector).value_type) for one in self._shards]
        dtype = np.float32 if {*kinds} <= {*EXACT_IN_FLOAT32} else np.float64
        turned = ColumnFile(self._scratch, sum(one.rows for one in self._shards), dtype)
        self._turned, start = (vector, turned), 0
        for rows in self._blocks(vector):
            turned.write_rows(start, rows)
            start += len(rows)
        return turned

    def _blocks(self, vector: str) -> Iterator[Array]:
        """The vectors of all rows in order, some megabytes at a time, [n, length]."""
        length, held = self._shards[0].vectors[vector], list[Array]()
        for shards in self._shards:
            for _, part in shards.parts([vector], LIST_ROWS):
                held.append(rows_of_lists(vector, part.column(vector), length))
                if sum(rows.nbytes for rows in held) >= BLOCK_BYTES:
                    yield np.concatenate(held)
                    held.clear()
        if held:
            yield np.concatenate(held)

    def _without_doubt(self, column: RawColumn) -> RawColumn:
        """The column; in trouble where another has decimal commas, as `mtlrun.data.tables.raw.without_doubt` says.

        Raises:
            DataError: if the column in trouble was given out before.
        """
        self._marks[column.name] = column.decimal
        commas = next((name for name, mark in self._marks.items() if mark == COMMA), None)
        if commas is None:
            return column
        before = next((name for name, mark in self._marks.items() if mark == EITHER and name != column.name), None)
        if before is not None:
            raise DataError(points_in_doubt(before, commas))
        return doubted(column, commas)
