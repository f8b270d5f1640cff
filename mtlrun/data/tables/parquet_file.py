"""Parquet files, and folders of them, by pyarrow."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from mtlrun.data.readers.arrow_tables import arrow_library
from mtlrun.data.tables.named_arrays import column_of_array, plain_array, unusable
from mtlrun.data.tables.raw import RawColumn, RawTable
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
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path} is no Parquet file, or damaged: write it again") from error
    names = [name for name in table.column_names if not name.startswith(INDEX)]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise DataError(f"{path} has two columns called '{twice}': give each a name of its own")
    if not names or not table.num_rows:
        raise DataError(f"{path} holds {table.num_rows} rows of {len(names)} columns")
    return RawTable({name: _column(name, table.column(name), name in as_words) for name in names})


def _column(name: str, column: Any, as_words: bool) -> RawColumn:
    """A column of an Arrow table; lists and other nested values are trouble, told only if they are used."""
    from pyarrow import ArrowInvalid, types

    kind = column.type
    if types.is_dictionary(kind):
        return _column(name, column.cast(kind.value_type), as_words)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        values = column.to_numpy()
        return column_of_array(name, values if values.dtype != object else _with_gaps(values))
    if types.is_timestamp(kind) or types.is_date(kind):
        finer = getattr(kind, "unit", "") == "ns"  # what is below a microsecond may be dropped
        try:
            return column_of_array(name, column.cast("timestamp[us]", safe=not finer).to_numpy())
        except ArrowInvalid:
            return unusable(name, len(column), f"{kind} beyond the year 290000")
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_decimal(kind):
        values = np.empty(len(column), dtype=object)
        values[:] = column.to_pylist()
        return column_of_array(name, plain_array(name, values), as_words)
    if types.is_null(kind):
        return column_of_array(name, np.full(len(column), np.nan))
    return unusable(name, len(column), str(kind))


def _with_gaps(values: np.ndarray) -> np.ndarray:
    """Truth values with None among them, as floats."""
    return np.array([np.nan if value is None else float(value) for value in values])
