"""Columns of Arrow tables, which Parquet and Arrow files hold, as columns of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.tables.named_arrays import column_of_array, text_of, unusable
from mtlrun.data.tables.raw import RawColumn
from mtlrun.data.tables.text_types import typed, words
from mtlrun.data.tables.vectors import entry
from mtlrun.errors import DataError

EXACT_IN_FLOAT32 = ("halffloat", "float", "int8", "int16", "uint8", "uint16", "bool")


def columns_of_arrow(
    name: str, column: Any, as_words: bool = False, class_names: Sequence[str] = ()
) -> dict[str, RawColumn]:
    """A column by its name; lists of numbers, all of one length, as a column for each entry.

    Args:
        name: of the column.
        column: of an Arrow table, [N].
        as_words: whether texts are words, whatever they look like.
        class_names: what whole numbers from 0 on stand for, as `datasets` notes it.

    Raises:
        DataError: if a class has no name.
    """
    if holds_lists(column.type) and (length := length_of_lists(column)):
        values = rows_of_lists(name, column, length)
        kinds = [column.type.value_type]
        return {(part := entry(name, at)): column_of_entries(part, values[:, at], kinds) for at in range(length)}
    return {name: column_of_arrow(name, column, as_words, class_names)}


def column_of_arrow(name: str, column: Any, as_words: bool = False, class_names: Sequence[str] = ()) -> RawColumn:
    """A column of values that are no lists; others are in trouble, told only if they are used. See
    `columns_of_arrow`."""
    from pyarrow import ArrowInvalid, types

    kind = column.type
    if types.is_dictionary(kind):
        return column_of_arrow(name, column.cast(kind.value_type), as_words)
    if class_names and types.is_integer(kind):
        return words(name, _named(name, column, class_names).tolist())
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
        texts = _texts(column).tolist()
        return words(name, texts) if as_words else typed(name, texts, first_line=0)
    if types.is_null(kind):
        return column_of_array(name, np.full(len(column), np.nan))
    return unusable(name, len(column), str(kind))


def _with_gaps(values: Array) -> Array:
    """Truth values with None among them, as floats."""
    return np.array([np.nan if value is None else float(value) for value in values])


def _texts(column: Any) -> Array:
    """[N] texts, '' for none: of each different one there is one in memory, so that a row takes 8 bytes."""
    from pyarrow import string, types

    plain = column.cast(string()) if types.is_string_view(column.type) else column
    coded = plain.dictionary_encode().unify_dictionaries().combine_chunks()
    known = np.empty(len(coded.dictionary) + 1, dtype=object)
    known[:] = [*(text_of(value) for value in coded.dictionary.to_pylist()), ""]
    found: Array = known[coded.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)]
    return found


def _named(name: str, column: Any, class_names: Sequence[str]) -> Array:
    """[N] names of classes, '' for no value and for -1."""
    places = column.cast("int64").fill_null(-1).to_numpy()
    if places.max(initial=-1) >= len(class_names):
        raise DataError(f"column '{name}' holds class {places.max()}, and the file names {len(class_names)} classes")
    known = np.empty(len(class_names) + 1, dtype=object)
    known[:] = [*class_names, ""]
    found: Array = known[np.maximum(places, -1)]
    return found


def holds_lists(kind: Any) -> bool:
    """Whether values of this type are lists of numbers or truth values."""
    from pyarrow import types

    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    inner = kind.value_type
    return bool(types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner))


def column_of_entries(name: str, values: Array, kinds: Sequence[Any]) -> RawColumn:
    """A column of one entry of each list, from floats [N]: whole numbers and truth values are such again where no list
    is absent, as they are in other tables; `kinds` are the Arrow types of what the lists hold."""
    from pyarrow import types

    complete = not np.isnan(values).any()
    if complete and all(map(types.is_boolean, kinds)):
        values = values.astype(bool)
    elif complete and all(map(types.is_integer, kinds)):
        values = values.astype(np.int64)
    return column_of_array(name, values)


def length_of_lists(column: Any) -> int:
    """The length that all lists have; 0 if they differ, or there is none."""
    from pyarrow import compute, types

    if types.is_fixed_size_list(column.type):
        return int(column.type.list_size)
    found = compute.min_max(compute.list_value_length(column)).as_py()
    return int(found["min"] or 0) if found["min"] == found["max"] else 0


def rows_of_lists(name: str, column: Any, length: int) -> Array:
    """Lists of numbers as [N, length]: float32 where their type fits, else float64, NaN for no value.

    Raises:
        DataError: if a list has another length.
    """
    from pyarrow import compute

    lengths = compute.list_value_length(column).drop_null().to_numpy()
    if (lengths != length).any():
        row = int((lengths != length).argmax())
        raise DataError(
            f"column '{name}' holds lists of {length} numbers, and one of {lengths[row]}: make them of one length"
        )
    dtype = np.dtype(np.float32 if str(column.type.value_type) in EXACT_IN_FLOAT32 else np.float64)
    given = compute.list_flatten(column).cast("float32" if dtype == np.float32 else "float64", safe=False)
    known = column.is_valid().to_numpy()
    values = np.full((len(column), length), np.nan, dtype)
    values[known] = given.to_numpy().reshape(-1, length)
    return values
