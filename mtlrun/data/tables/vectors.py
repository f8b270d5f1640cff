"""Vectors in a table: the columns NAME[0], NAME[1], ... of one entry each, which the name alone stands for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import count, takewhile

import numpy as np

from mtlrun.data.tables.raw import NUMBER, TEXT, RawColumn, RawTable
from mtlrun.errors import DataError

ENTRY = re.compile(r"(.+)\[(\d+)\]")


def entry(name: str, place: int) -> str:
    """The column of one entry of a vector."""
    return f"{name}[{place}]"


def vectors_in(there: Iterable[str]) -> list[str]:
    """The names of the vectors among columns."""
    return [found[1] for name in there if (found := ENTRY.fullmatch(name)) and found[2] == "0"]


def vector_of(name: str) -> str | None:
    """The vector that a column of this name would be an entry of; None for other names."""
    found = ENTRY.fullmatch(name)
    return found[1] if found else None


def check_apart(where: object, names: Iterable[str]) -> None:
    """Raise DataError if one of the columns, entries of vectors among them, stands twice."""
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise DataError(
            f"{where}: '{twice}' is a column, and an entry of the vector '{vector_of(twice)}': rename one of them"
        )


def columns_of(name: str, there: Collection[str]) -> list[str]:
    """The columns that a name stands for: the one of that name, or the entries of a vector; none if it is neither."""
    if name in there:
        return [name]
    return [*takewhile(there.__contains__, (entry(name, place) for place in count()))]


def column_of(table: RawTable, name: str) -> RawColumn:
    """The column of labels of that name; of a vector with values float64 [N, D].

    Raises:
        DataError: if entries of a vector are words.
    """
    if name in table.columns:
        return table.columns[name]
    values = np.stack([_numbers(table.columns[part]) for part in columns_of(name, table.columns)], 1)
    return RawColumn(name, NUMBER, values)


def _numbers(column: RawColumn) -> np.ndarray:
    if column.usable().kind == TEXT:
        raise DataError(f"column '{column.name}' holds words, and a vector of labels holds numbers: name its columns")
    return column.numbers
