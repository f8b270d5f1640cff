"""A table as it was read: named columns of equal length, typed but not yet encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.errors import DataError

TEXT, NUMBER, DATE = "text", "number", "date"


@dataclass(frozen=True)
class RawColumn:
    """One column of a table.

    name: as the table has it.
    kind: 'number': values are float64 with NaN for none, int64 or bool; 'date': float64, days since 1970, NaN for none;
        'text': an object array of texts, '' for none.
    values: [N].
    note: how the values were read, where that is not plain.
    trouble: why the column cannot be used as it is; told if it is used.
    """

    name: str
    kind: str
    values: Array
    note: str = ""
    trouble: str = ""

    @property
    def missing(self) -> Array:
        """Which rows have no value, bool [N]."""
        found: Array = self.values == "" if self.kind == TEXT else np.isnan(self.numbers)
        return found

    @property
    def numbers(self) -> Array:
        """float64 [N], of a number or date."""
        return self.values.astype(np.float64)

    def texts(self) -> list[str]:
        """The values as words: those of numbers that are named as categories, too."""
        if self.kind == TEXT:
            return [str(value) for value in self.values]
        return ["" if value != value else _word(value) for value in self.numbers.tolist()]

    def usable(self) -> RawColumn:
        """The column; raises DataError if it is in trouble."""
        if self.trouble:
            raise DataError(self.trouble)
        return self


@dataclass(frozen=True)
class RawTable:
    """Columns by name; `notes` say what was made of the file as a whole."""

    columns: Mapping[str, RawColumn]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values)


def _word(value: float) -> str:
    return str(int(value)) if value % 1 == 0 else repr(value)


def stacked(first: RawColumn, other: RawColumn, where: tuple[object, object]) -> RawColumn:
    """The rows of a column in one file, then those in another.

    Raises:
        DataError: if one holds texts and the other numbers.
    """
    kinds = {column.kind for column in (first, other) if not column.missing.all()}
    if len(kinds) > 1:
        raise DataError(
            f"column '{first.name}' holds {first.kind}s in {where[0]} and {other.kind}s in {where[1]}: make them alike"
        )
    kind = next(iter(kinds), first.kind)
    parts = [column if column.kind == kind else emptied(column, kind) for column in (first, other)]
    values = np.concatenate([part.values for part in parts])
    return RawColumn(first.name, kind, values, first.note or other.note, first.trouble or other.trouble)


def emptied(column: RawColumn, kind: str) -> RawColumn:
    """A column without any value, of another kind."""
    count = len(column.values)
    values = np.full(count, "", dtype=object) if kind == TEXT else np.full(count, np.nan)
    return RawColumn(column.name, kind, values)


def appended(first: RawTable, other: RawTable, where: tuple[object, object]) -> RawTable:
    """The rows of two tables with the same columns, those of the first named.

    Raises:
        DataError: if the other lacks a column, or a column is of another kind there.
    """
    lacking = [name for name in first.columns if name not in other.columns]
    if lacking:
        raise DataError(f"{where[1]} has no column '{lacking[0]}', which {where[0]} has")
    columns = {name: stacked(column, other.columns[name], where) for name, column in first.columns.items()}
    return RawTable(columns, [*first.notes, *(note for note in other.notes if note not in first.notes)])
