"""From columns of a table to vectors [N, D] of float32: numbers first, then flags, then categories as whole numbers.

`fitted` learns what it takes from the training rows alone, and `encoded` does nothing that the columns do not say: they
are all that it takes to encode another row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.statistics import divisor
from mtlrun.data.tables.raw import DATE, TEXT, RawColumn, RawTable
from mtlrun.errors import DataError
from mtlrun.lines import shortened
from mtlrun.types import CATEGORY, MISSING_FLAG, NUMBER, InputColumn

LARGEST = float(np.finfo(np.float32).max)
ORDER = {NUMBER: 0, MISSING_FLAG: 1, CATEGORY: 2}
"""Of the kinds in the vectors."""
SHOWN = 20
"""Columns that a message names."""


@dataclass
class FittedColumns:
    """columns: of the vectors, in order. said: what was inferred of each column of the table, by its name.
    constant: columns of the table that are left out, since they have one value, or none, in training. singular: those
    that are left out since none of their words occurs often enough, such as names of people, each with its note. gaps:
    whether a row lacks the value of a column that is used."""

    columns: list[InputColumn] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    constant: list[str] = field(default_factory=list)
    singular: list[str] = field(default_factory=list)
    gaps: bool = False

    def put_in_order(self) -> list[int]:
        """Sort the columns by kind, and return the places that they had."""
        order = sorted(range(len(self.columns)), key=lambda place: ORDER[self.columns[place].kind])
        self.columns = [self.columns[place] for place in order]
        return order


@dataclass(frozen=True)
class EncodingOptions:
    """standardise: whether numbers get mean 0 and deviation 1. rare: texts that occur in fewer training rows share a
    code with unknown ones. categories: numbers that are to be categories."""

    standardise: bool
    rare: int
    categories: Collection[str]


def fitted(table: RawTable, names: Sequence[str], train: Array, options: EncodingOptions) -> FittedColumns:
    """What the columns are encoded as, in their order in the vectors.

    Args:
        table: of all rows.
        names: of its columns that are inputs.
        train: the training rows.
        options: of the encoding.

    Raises:
        DataError: if a column is in trouble, has infinite values, or none of them varies in training.
    """
    found = FittedColumns()
    for name in names:
        fit_column(table.columns[name], train, options, found)
    check_any(found, names)
    found.put_in_order()
    return found


def encoded(table: RawTable, columns: Sequence[InputColumn]) -> Array:
    """Vectors float32 [N, D] of the rows, by what the columns say."""
    values = np.empty((len(table), len(columns)), dtype=np.float32)
    for place, column in enumerate(columns):
        values[:, place] = encoded_column(table.columns[column.name], column)
    return values


def fit_column(raw: RawColumn, train: Array, options: EncodingOptions, found: FittedColumns) -> list[InputColumn]:
    """Add what one column of the table is encoded as, and return it: nothing, or a column or two of the vectors.

    Raises:
        DataError: see `fitted`.
    """
    before = len(found.columns)
    if raw.kind == TEXT or raw.name in options.categories:
        _fit_category(raw, train, options, found)
    else:
        _fit_number(raw, train, options, found)
    return found.columns[before:]


def check_any(found: FittedColumns, names: Sequence[str]) -> None:
    """Raise DataError if none of the named columns is of use."""
    if not found.columns:
        raise DataError(f"no column of inputs varies in the training rows (there are: {shortened(names, SHOWN)})")


def encoded_column(raw: RawColumn, column: InputColumn) -> Array:
    """One entry of the vectors, [N]: float32 when it is kept."""
    if column.kind == CATEGORY:
        codes = {text: code for code, text in enumerate(column.values, 1)}
        return np.array([codes.get(text, 0) for text in raw.texts()])
    if column.kind == MISSING_FLAG:
        return raw.missing
    numbers = raw.numbers
    numbers[raw.missing] = column.fill
    scaled: Array = (numbers - column.mean) / column.deviation
    return scaled


def _fit_number(raw: RawColumn, train: Array, options: EncodingOptions, found: FittedColumns) -> None:
    raw.usable()
    numbers, missing = raw.numbers, raw.missing
    _check_finite(raw.name, numbers)
    known = numbers[train][~missing[train]]
    if len(known) and np.ptp(known) > 0:
        fill = float(np.median(known))
        filled = np.where(missing, fill, numbers)[train]
        mean = float(filled.mean()) if options.standardise else 0.0
        deviation = divisor(mean, float(filled.std())) if options.standardise else 1.0
        found.columns.append(InputColumn(raw.name, NUMBER, mean, deviation, fill, date=raw.kind == DATE))
    flagged = 0 < missing[train].sum() < len(train)
    if flagged:
        found.columns.append(InputColumn(raw.name, MISSING_FLAG))
    if not flagged and (not len(known) or np.ptp(known) == 0):
        found.constant.append(raw.name)
        return
    words = "days since 1970" if raw.kind == DATE else raw.note or "number"
    found.gaps |= bool(missing.any())
    if missing.any():
        how = f"the median {fill:g}" if len(known) and np.ptp(known) > 0 else "constant"
        words += f", {missing.sum()} missing are {how}" + (", flagged" if flagged else "")
    found.said[raw.name] = words


def _fit_category(raw: RawColumn, train: Array, options: EncodingOptions, found: FittedColumns) -> None:
    if raw.name not in options.categories:
        raw.usable()
    texts = raw.texts()
    counts = Counter(texts[row] for row in train.tolist())
    often = [text for text, count in counts.items() if count >= options.rare]
    values = tuple(sorted(often, key=lambda text: (-counts[text], text)))
    if not values or len(counts) == 1:
        if len(counts) == 1:
            found.constant.append(raw.name)
        else:
            found.singular.append(f"{raw.name} ({raw.note})" if raw.note else raw.name)
        return
    found.columns.append(InputColumn(raw.name, CATEGORY, values=values, numeric=raw.kind != TEXT))
    rare, gaps = len(counts) - len(values), texts.count("")
    found.gaps |= gaps > 0
    parts = [
        f"{len(values) - ('' in values)} words" if raw.kind == TEXT else f"{len(values)} numbers as words",
        raw.note,
    ]
    parts += [f"{rare} rare ones share a code"] if rare else []
    parts += [f"{gaps} missing"] if gaps else []
    found.said[raw.name] = ", ".join(part for part in parts if part)


def _check_finite(name: str, numbers: Array) -> None:
    with np.errstate(invalid="ignore"):
        bad = np.abs(numbers) > LARGEST
    if bad.any():
        row = int(bad.argmax())
        what, remedy = "infinite values", "leave them empty, or drop those rows"
        if np.isfinite(numbers[row]):
            what = f"numbers too large for float32, such as {numbers[row]:g},"
            remedy = "divide them, take their logarithm, or leave them empty"
        raise DataError(
            f"column '{name}' has {what} in {bad.sum()} of {len(bad)} rows, the first in row {row + 1}: {remedy}"
        )
