"""A table as it was read: named columns of equal length, typed but not yet encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.errors import DataError

TEXT, NUMBER, DATE = "text", "number", "date"
COMMA, POINT, EITHER = ",", ".", "?"
BLANK = frozenset(["", "-", "None"])
"""Words that are no value of an input, though the last two may be labels."""
EXACT = 2.0**53
"""From here on float64 no longer tells whole numbers apart."""


@dataclass(frozen=True)
class RawColumn:
    """One column of a table.

    name: as the table has it.
    kind: 'number': values are float64 with NaN for none, int64 or bool; 'date': float64, days since 1970, NaN for none;
        'text': an object array of texts, '' for none; '-' and 'None' are no value of an input, but labels.
    values: [N].
    note: how the values were read, where that is not plain.
    trouble: why the column cannot be used as it is; told if it is used.
    decimal: the mark of decimals in the texts that numbers were read from: COMMA, POINT, EITHER if each point could
        stand between thousands, or '' for none.
    """

    name: str
    kind: str
    values: Array
    note: str = ""
    trouble: str = ""
    decimal: str = ""

    @property
    def missing(self) -> Array:
        """Which rows have no value, bool [N]."""
        if self.kind == TEXT:
            return np.array([value in BLANK for value in self.values], dtype=bool)
        found: Array = np.isnan(self.numbers)
        return found

    @property
    def numbers(self) -> Array:
        """float64 [N], of a number or date; whole numbers from 2^53 on are rounded."""
        return self.values.astype(np.float64)

    def texts(self) -> list[str]:
        """The values as words: those of numbers that are named as categories, too.

        Raises:
            DataError: for numbers so large that different ones were rounded to the same.
        """
        if self.kind == TEXT:
            return ["" if value in BLANK else str(value) for value in self.values]
        return ["" if value != value else _word(value) for value in self.distinct().tolist()]

    def label_texts(self) -> list[str]:
        """As `texts`, of a column of labels: '-' and 'None' are words."""
        return [str(value) for value in self.values] if self.kind == TEXT else self.texts()

    def distinct(self) -> Array:
        """int64, uint64 or float64 [N]: numbers of which different ones of the file are different.

        Raises:
            DataError: for numbers so large that different ones were rounded to the same.
        """
        if self.values.dtype.kind in "iu":
            return self.values
        numbers = self.numbers
        if self.kind == NUMBER and (np.abs(numbers[np.isfinite(numbers)]) >= EXACT).any():
            raise DataError(
                f"column '{self.name}' holds numbers of more digits than are told apart, beside gaps or decimals: fill "
                "the gaps, or write the numbers as words such as id123"
            )
        return numbers

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


def without_doubt(table: RawTable) -> RawTable:
    """The table, in which columns are in trouble whose points could stand between thousands, if another column has
    decimal commas: 1.234 is then 1234 as likely as not."""
    commas = next((name for name, column in table.columns.items() if column.decimal == COMMA), None)
    if commas is None:
        return table
    return RawTable({name: doubted(column, commas) for name, column in table.columns.items()}, table.notes)


def doubted(column: RawColumn, commas: str) -> RawColumn:
    """The column, in trouble if its points could stand between thousands; `commas` is one with decimal commas."""
    if column.decimal != EITHER or column.trouble:
        return column
    return replace(column, trouble=points_in_doubt(column.name, commas))


def points_in_doubt(name: str, commas: str) -> str:
    """What is the trouble with such a column."""
    return (
        f"the points in column '{name}' may be decimals or stand between thousands (1.234), since column "
        f"'{commas}' has decimal commas: write the numbers without marks between thousands"
    )


def stacked(first: RawColumn, other: RawColumn, where: tuple[object, object]) -> RawColumn:
    """The rows of a column in one file, then those in another.

    Raises:
        DataError: if one holds texts and the other numbers, or they write decimals with different marks.
    """
    kinds = {column.kind for column in (first, other) if not column.missing.all()}
    if len(kinds) > 1:
        raise DataError(
            f"column '{first.name}' holds {first.kind}s in {where[0]} and {other.kind}s in {where[1]}: make them alike"
        )
    marks = {column.decimal for column in (first, other) if column.decimal}
    if COMMA in marks and len(marks) > 1:
        one, two = where if first.decimal == COMMA else where[::-1]
        raise DataError(
            f"column '{first.name}' has decimal commas in {one} and points in {two}: write its numbers alike"
        )
    kind = next(iter(kinds), first.kind)
    parts = [column if column.kind == kind else emptied(column, kind) for column in (first, other)]
    values = np.concatenate([part.values for part in parts])
    decimal = POINT if POINT in marks else next(iter(marks), "")
    return RawColumn(first.name, kind, values, first.note or other.note, first.trouble or other.trouble, decimal)


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
    joined = RawTable(columns, [*first.notes, *(note for note in other.notes if note not in first.notes)])
    return without_doubt(joined)
