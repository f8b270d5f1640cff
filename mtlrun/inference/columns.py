"""Rows of a table as numbers that a graph takes: a column each, as the table has it; the encoding happens inside."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun.data.array_cache import Array
from mtlrun.data.tables.encode import LARGEST
from mtlrun.data.tables.named_arrays import arrays_of, column_of_array, stacked_lists
from mtlrun.data.tables.raw import DATE, TEXT, RawColumn, RawTable
from mtlrun.data.tables.vectors import entry, vector_of
from mtlrun.errors import DataError, near_miss
from mtlrun.lines import shortened
from mtlrun.types import CATEGORY, MISSING_FLAG, NUMBER, InputColumn

NUMBERS, DATES, WORDS, NUMERIC_WORDS, GAPS = "number", "date", "words", "numbers as words", "gaps"
GAP = 0.2
"""Share of made-up numbers that are missing."""
FORMS = "a data frame, columns by name, or a list of dicts, a row each"
SHOWN = 12
"""Columns that a message names."""


@dataclass(frozen=True)
class TakenColumn:
    """A column of a table, as one number a row.

    kind: 'number': as it is, NaN for no value; 'date': likewise, the days since 1970; 'words', 'numbers as words': the
    place of the text in `values`, from 1 on, and 0 for any other; 'gaps': NaN for no value, and any number for one.
    """

    name: str
    kind: str
    values: tuple[str, ...] = ()

    @property
    def is_words(self) -> bool:
        return self.kind in (WORDS, NUMERIC_WORDS)


@functools.lru_cache(maxsize=8)
def taken(columns: tuple[InputColumn, ...]) -> tuple[TakenColumn, ...]:
    """The columns of the table that these entries are made from, in the order in which they come first."""
    found: dict[str, TakenColumn] = {}
    for column in columns:
        if column.kind == CATEGORY:
            kind = NUMERIC_WORDS if column.numeric else WORDS
        else:
            kind = GAPS if column.kind == MISSING_FLAG else DATES if column.date else NUMBERS
        if column.name not in found or kind != GAPS:
            found[column.name] = TakenColumn(column.name, kind, column.values)
    return tuple(found.values())


def names_of_words(columns: tuple[InputColumn, ...]) -> list[str]:
    """The columns whose texts are words, whatever they look like."""
    return [column.name for column in taken(columns) if column.kind == WORDS]


def rows_of_table(where: object, table: RawTable, columns: tuple[InputColumn, ...]) -> Tensor:
    """The rows of a table, float64 [N, columns of the table that are used].

    Args:
        where: the table is, for messages.
        table: read with `names_of_words`; further columns do not matter.
        columns: that training made of its table.

    Raises:
        DataError: if a column is absent, or holds something else than it did in training.
    """
    check_present(where, table, columns)
    entries = [numbers_of(where, table.columns[column.name], column) for column in taken(columns)]
    return torch.from_numpy(np.stack(entries, 1))


def check_present(where: object, table: RawTable, columns: tuple[InputColumn, ...]) -> None:
    """Raise DataError if the table lacks a column that is needed."""
    wanted = taken(columns)
    absent = next((column.name for column in wanted if column.name not in table.columns), None)
    if absent is not None:
        needed = shortened([column.name for column in wanted], SHOWN)
        raise DataError(f"{where} has no column '{absent}'{near_miss(absent, table.columns)}; needed: {needed}")


def table_of(data: Any, columns: tuple[InputColumn, ...]) -> RawTable:
    """A pandas data frame, a mapping from names to columns or to the values of one row, or a list of such rows.

    Raises:
        DataError: if it is something else, or its columns differ in length.
    """
    used = {column.name for column in columns}
    given = _apart(_by_column(data, columns), used)
    names = [str(name) for name in given]
    try:
        arrays = arrays_of(_only(given, used))
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"inputs cannot be read as columns: {error}") from error
    words = names_of_words(columns)
    found = {name: column_of_array(name, values, name in words) for name, values in arrays.items()}
    lengths = {len(column.values): name for name, column in found.items()}
    if len(lengths) > 1:
        (one, first), (two, second), *_ = lengths.items()
        raise DataError(f"inputs have {one} rows of '{first}' but {two} of '{second}': give each row every column")
    if 0 in lengths:
        raise DataError("inputs have no row")
    unused = {name: RawColumn(name, TEXT, np.empty(0, object)) for name in names if name not in found}
    return RawTable({**found, **unused})


def example_rows(columns: tuple[InputColumn, ...], rows: int, generator: torch.Generator) -> Tensor:
    """Made-up rows [rows, columns of the table] of the size that training had, with gaps."""
    numbers = {column.name: column for column in columns if column.kind == NUMBER}
    made = []
    for column in taken(columns):
        if column.is_words:
            made.append(torch.randint(0, len(column.values) + 1, (rows,), generator=generator).double())
            continue
        drawn = torch.randn(rows, generator=generator, dtype=torch.float64)
        if column.name in numbers:
            drawn = drawn * numbers[column.name].deviation + numbers[column.name].mean
        made.append(drawn.masked_fill(torch.rand(rows, generator=generator) < GAP, torch.nan))
    return torch.stack(made, 1)


class EncodeColumns(nn.Module):
    """Rows of `rows_of_table` -> the vectors of `mtlrun.data.tables.encode`, with its arithmetic."""

    fill: Tensor
    mean: Tensor
    deviation: Tensor
    order: Tensor

    def __init__(self, columns: tuple[InputColumn, ...]) -> None:
        super().__init__()
        self.width = len(taken(columns))
        place = {column.name: index for index, column in enumerate(taken(columns))}
        kinds = (NUMBER, MISSING_FLAG, CATEGORY)
        self._kinds = [kind for kind in kinds if any(column.kind == kind for column in columns)]
        for kind in self._kinds:
            self._keep(f"at_{kind}", [place[column.name] for column in columns if column.kind == kind], torch.long)
        for name in ("fill", "mean", "deviation"):
            self._keep(name, [getattr(column, name) for column in columns if column.kind == NUMBER], torch.float64)
        made = [index for kind in kinds for index, column in enumerate(columns) if column.kind == kind]
        order = sorted(range(len(made)), key=made.__getitem__)
        self._in_order = order == [*range(len(made))]
        self._keep("order", order, torch.long)

    def _keep(self, name: str, values: Sequence[float], dtype: torch.dtype) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=dtype), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """[B, columns of the table] -> float32 [B, D]."""
        parts = [self._part(kind, rows.double().index_select(1, getattr(self, f"at_{kind}"))) for kind in self._kinds]
        made = torch.cat(parts, 1)
        return made if self._in_order else made.index_select(1, self.order)

    def _part(self, kind: str, values: Tensor) -> Tensor:
        if kind == MISSING_FLAG:
            return values.isnan().float()
        if kind == CATEGORY:
            return values.float()
        filled = torch.where(values.isnan(), self.fill, values)
        return ((filled - self.mean) / self.deviation).float()


def numbers_of(where: object, raw: RawColumn, column: TakenColumn) -> Array:
    """float64 [N]: a column of the table as the network takes it.

    Raises:
        DataError: if it holds something else than in training, or infinite values.
    """
    if column.is_words:
        return _places(where, raw, column)
    if raw.missing.all():
        return np.full(len(raw.values), np.nan)
    if raw.trouble:
        raise DataError(f"{where}: {raw.trouble.partition(': correct it')[0]}, and it held {column.kind}s in training")
    if column.kind == GAPS:
        return np.where(raw.missing, np.nan, 0.0)
    if raw.kind == TEXT or (raw.kind == DATE) != (column.kind == DATES):
        raise _other_kind(where, raw, f"{column.kind}s")
    numbers = raw.numbers
    with np.errstate(invalid="ignore"):
        bad = numbers[np.abs(numbers) > LARGEST]
    if len(bad):
        what = f"{bad[0]:g}, too large for float32" if np.isfinite(bad[0]) else "an infinite value"
        raise DataError(f"{where}: column '{column.name}' holds {what}: leave it empty")
    return numbers


def _places(where: object, raw: RawColumn, column: TakenColumn) -> Array:
    """The places of words; numbers of a data frame may be words, as long as one of them is known."""
    codes = {text: float(code) for code, text in enumerate(column.values, 1)}
    places = np.array([codes.get(text, 0.0) for text in raw.texts()])
    if column.kind == WORDS and raw.kind != TEXT and not places.any() and not raw.missing.all():
        raise _other_kind(where, raw, f"words, such as '{next(filter(None, column.values), '')}',")
    return places


def _other_kind(where: object, raw: RawColumn, held: str) -> DataError:
    found = {TEXT: "words", DATE: "dates"}.get(raw.kind, "numbers")
    return DataError(f"{where}: column '{raw.name}' holds {found}, and it held {held} in training")


def _by_column(data: Any, columns: tuple[InputColumn, ...]) -> Any:
    """The columns of whatever is given; a row's values are put into columns of one row or more."""
    if isinstance(data, Mapping):
        values = data.values()
        alone = bool(data) and all(isinstance(value, str) or np.ndim(value) == 0 for value in values)
        return {name: _column([value]) if alone else _column(value) for name, value in data.items()}
    if hasattr(data, "columns") and hasattr(data, "loc"):
        return data
    if not isinstance(data, list | tuple):
        raise DataError(f"inputs must be {FORMS}: found {type(data).__name__}")
    odd = next((row for row in data if not isinstance(row, Mapping)), None)
    if odd is not None or not data:
        what = "no row" if odd is None else f"{type(odd).__name__} among the rows"
        raise DataError(f"inputs must be {FORMS}: found {what}")
    _check_rows(data, columns)
    return {
        name: _column([row.get(name) for row in data]) for name in dict.fromkeys(key for row in data for key in row)
    }


def _apart(given: Any, used: Collection[str]) -> Any:
    """Lists of numbers, such as those of a vector 'v', as the columns of their entries, such as 'v[0]'."""
    vectors = [name for name in given if name not in used and entry(str(name), 0) in used]
    if not vectors:
        return given
    found = {name: given[name] for name in given}
    for name in vectors:
        rows = stacked_lists([_row(row) for row in found.pop(name)])
        if rows is None:
            raise DataError(f"column '{name}' should hold lists of numbers, all of one length")
        found |= {entry(str(name), place): rows[:, place] for place in range(rows.shape[1])}
    return found


def _row(values: Any) -> Any:
    """A list of numbers, also one that is a tensor."""
    return np.asarray(values) if hasattr(values, "__array__") else values


def _only(given: Any, names: Collection[str]) -> Any:
    """The columns of these names: what else there is need not be readable."""
    if isinstance(given, Mapping):
        return {name: values for name, values in given.items() if name in names}
    return given.loc[:, [str(name) in names for name in given.columns]]


def _column(values: Any) -> Any:
    """A list as an array of its own values: NumPy would write numbers beside a text as texts, and None as 'None'."""
    if not isinstance(values, list | tuple) or not any(value is None or isinstance(value, str) for value in values):
        return values
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _check_rows(rows: Sequence[Mapping[str, Any]], columns: tuple[InputColumn, ...]) -> None:
    for number, row in enumerate(rows, 1):
        there = {*row, *(column.name for column in taken(columns) if vector_of(column.name) in row)}
        absent = next((column.name for column in taken(columns) if column.name not in there), None)
        if absent is not None:
            needed = shortened([column.name for column in taken(columns)], SHOWN)
            raise DataError(
                f"row {number} of the inputs has no column '{absent}'{near_miss(absent, row)}; needed: {needed} (None "
                "for no value)"
            )
