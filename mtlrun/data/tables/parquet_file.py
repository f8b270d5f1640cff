"""Parquet and Arrow files, by pyarrow."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import Any

from mtlrun.data.readers.arrow_tables import arrow_library, class_names, is_arrow, no_such_file, open_arrow
from mtlrun.data.tables.arrow_columns import columns_of_arrow
from mtlrun.data.tables.raw import RawTable
from mtlrun.data.tables.vectors import check_apart
from mtlrun.errors import DataError

INDEX = "__index_level_"
"""How pandas names an index that it writes beside the columns."""


def read_parquet_file(path: Path, as_words: Collection[str] = ()) -> RawTable:
    """The columns of a file; `as_words` names those whose texts are words, whatever they look like.

    Raises:
        ConfigError: if pyarrow is not installed.
        DataError: if the file is damaged, has no row, or names a column twice.
    """
    pyarrow = arrow_library(path)
    try:
        table = _read(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(no_such_file(path)) from error
    names = usable_names(path, table.column_names)
    if not names or not table.num_rows:
        raise DataError(f"{path} holds {table.num_rows} rows of {len(names)} columns")
    known = class_names(table.schema.metadata or {}, path)
    found = [columns_of_arrow(name, table.column(name), name in as_words, known.get(name, ())) for name in names]
    check_apart(path, chain.from_iterable(found))
    return RawTable({name: column for parts in found for name, column in parts.items()})


def _read(path: Path) -> Any:
    from pyarrow import parquet

    return open_arrow(path).read_all() if is_arrow(path) else parquet.read_table(path)


def usable_names(path: Path, names: list[str]) -> list[str]:
    """Those of columns, without the index that pandas writes.

    Raises:
        DataError: if one stands twice.
    """
    found = [name for name in names if not name.startswith(INDEX)]
    twice = next((name for name in found if found.count(name) > 1), None) if len(set(found)) < len(found) else None
    if twice is not None:
        raise DataError(f"{path} has two columns called '{twice}': give each a name of its own")
    return found
