"""Folders of Parquet or Arrow files that are one table: a column of all of them, or part by part."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from mtlrun.data.arrays.npy_files import array_names
from mtlrun.data.readers.arrow_tables import (
    ARROW,
    PARQUET,
    arrow_library,
    batches_of,
    class_names,
    is_arrow,
    no_such_file,
    open_arrow,
)
from mtlrun.data.readers.folders import is_stray
from mtlrun.data.tables.arrow_columns import holds_lists, length_of_lists
from mtlrun.data.tables.parquet_file import usable_names
from mtlrun.data.tables.vectors import entry
from mtlrun.errors import DataError
from mtlrun.lines import shortened

log = logging.getLogger(__name__)

COMPANIONS = ("dataset_info.json", "state.json", "README.md")
"""What `datasets` writes beside the files of a table; Spark's names begin with _."""
FEW, MANY = 2**10, 2**17
"""Rows that are decoded together: to look at some, and of a single column."""


def shards_of(folder: Path) -> list[Path]:
    """The Parquet or Arrow files of a folder, in alphabetical order; none beside .npy files."""
    if not folder.is_dir() or array_names(folder):
        return []
    found = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in (*PARQUET, *ARROW) and not is_stray(path)
    )
    return found if len({*map(is_arrow, found)}) == 1 else []


def tell_of_unread(folder: Path) -> None:
    """Say what else is in a folder of shards, and is no part of the table."""
    files = shards_of(folder)
    others = [path for path in folder.iterdir() if not is_stray(path) and path not in files]
    names = [f"{path.name}/" if path.is_dir() else path.name for path in others if path.name not in COMPANIONS]
    told = sorted(name for name in names if not name.startswith("_"))
    if told:
        kind = "Arrow" if is_arrow(files[0]) else "Parquet"
        log.info("%s is a table of its %s files; not read: %s", folder, kind, shortened(told))


class ShardFolder:
    """The rows of a folder's files, one file after the other; in memory there is what is asked for.

    Args:
        folder: with shards, see `shards_of`.

    Raises:
        ConfigError: if pyarrow is not installed.
        DataError: if a file is damaged, or names a column twice.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, shards_of(folder)
        self._pyarrow = arrow_library(self.files[0])
        self._metadata: dict[Path, Any] = {}
        self._schemas = {path: self._opened(path) for path in self.files}
        first = self._schemas[self.files[0]]
        self.names: list[str] = usable_names(self.files[0], first.names)
        self.class_names = class_names(first.metadata or {}, self.files[0])

    @cached_property
    def rows(self) -> int:
        """Of all files."""
        if self._metadata:
            return sum(found.num_rows for found in self._metadata.values())
        return sum(len(part) for _, part in self.parts([], MANY))

    @cached_property
    def vectors(self) -> dict[str, int]:
        """Columns of lists of numbers, by the length that the first ones have."""
        schema = self._schemas[self.files[0]]
        lists = [name for name in self.names if holds_lists(schema.field(name).type)]
        if not lists or not self.rows:
            return {}
        first = next(part for _, part in self.parts(lists, FEW) if len(part))
        lengths = {name: length_of_lists(first.column(name)) for name in lists}
        return {name: length for name, length in lengths.items() if length}

    @cached_property
    def entries(self) -> dict[str, tuple[str, int]]:
        """Column of a table -> (the vector that it is an entry of, its place there)."""
        return {entry(name, at): (name, at) for name, length in self.vectors.items() for at in range(length)}

    def kind(self, name: str) -> Any:
        """The Arrow type of a column, which the values of all files have or are turned into.

        Raises:
            DataError: if a file lacks the column, or holds values of another sort.
        """
        pyarrow, kinds = self._pyarrow, dict[Any, Path]()
        for path, schema in self._schemas.items():
            if name not in schema.names:
                raise DataError(f"{path} lacks the column '{name}', which the first file of the folder has")
            kinds.setdefault(_plain(schema.field(name).type), path)
        if len(kinds) == 1:
            return next(iter(kinds))
        try:
            fields = [pyarrow.schema([pyarrow.field(name, kind)]) for kind in kinds]
            return pyarrow.unify_schemas(fields, promote_options="permissive").field(name).type
        except pyarrow.ArrowException as error:
            (one, first), (two, second), *_ = kinds.items()
            raise DataError(f"column '{name}' holds {one} in {first} and {two} in {second}: write it alike") from error

    def column(self, name: str) -> Any:
        """A column of all rows, a chunked array.

        Raises:
            DataError: see `kind`; if a file is damaged.
        """
        kind = self.kind(name)
        parts = [part.column(name).cast(kind) for path in self.files for part in self._read(path, [name], MANY)]
        chunks = [chunk for part in parts for chunk in part.chunks]
        return self._pyarrow.chunked_array(chunks, kind)

    def parts(self, names: list[str], most: int) -> Iterator[tuple[Path, Any]]:
        """Tables of the columns, each with its file: of at most so many rows of a Parquet file, or the batches of an
        Arrow file.

        Raises:
            DataError: if a file is damaged.
        """
        for path in self.files:
            for part in self._read(path, names, most):
                yield path, part

    def _opened(self, path: Path) -> Any:
        """The names and types of a file's columns."""
        from pyarrow import parquet

        with self._damage(path):
            if is_arrow(path):
                return open_arrow(path).schema
            self._metadata[path] = parquet.read_metadata(path)
            return self._metadata[path].schema.to_arrow_schema()

    def _read(self, path: Path, names: list[str], most: int) -> Iterator[Any]:
        from pyarrow import parquet

        with self._damage(path):
            if is_arrow(path):
                for batch in batches_of(path):
                    yield self._pyarrow.Table.from_batches([batch]).select(names)
                return
            with parquet.ParquetFile(path, metadata=self._metadata[path], memory_map=True) as file:
                for batch in file.iter_batches(most, columns=names, use_threads=False):
                    yield self._pyarrow.Table.from_batches([batch]).select(names)

    @contextmanager
    def _damage(self, path: Path) -> Iterator[None]:
        try:
            yield
        except (self._pyarrow.ArrowException, OSError) as error:
            raise DataError(no_such_file(path)) from error


def _plain(kind: Any) -> Any:
    """The type of the values of a column whose texts are numbered."""
    from pyarrow import types

    return kind.value_type if types.is_dictionary(kind) else kind
