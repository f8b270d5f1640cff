"""The columns of inputs in turn: what each is encoded as, its part of the rows' numbers, and what labels are compared
with. One column is looked at at a time, so that a table may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.fingerprint import RowIds, ids_of_texts
from mtlrun.data.label_kinds import Labels
from mtlrun.data.label_warnings import Inspected, RowsByNumber
from mtlrun.data.source import Source
from mtlrun.data.split_plan import bits
from mtlrun.data.tables.encode import EncodingOptions, FittedColumns, check_any, encoded_column, fit_column
from mtlrun.data.tables.raw import EXACT, TEXT, RawColumn, RawTable


@dataclass(frozen=True)
class ToEncode:
    """What is to be encoded: the columns of these names, fitted to the training rows `train`, int64 [n]; and the rows
    by which columns are `compared` with labels, in order."""

    names: Sequence[str]
    train: Array
    compared: Array
    options: EncodingOptions


@dataclass(frozen=True)
class EncodedInputs:
    """Inputs of all rows.

    found: what they are encoded as. ids: a number for each row by what its columns hold, int64 [N]. inspected: for
    warnings. source: makes one of some rows and the labels of all.
    """

    found: FittedColumns
    ids: Tensor
    inspected: Inspected
    source: Callable[[Tensor, dict[str, Labels]], Source]


@dataclass(frozen=True)
class ColumnFacts:
    """See `EncodedInputs`; order: of the columns that were kept, in the vectors. compared: [rows, names], see
    `comparable`."""

    found: FittedColumns
    order: list[int]
    ids: Tensor
    compared: Array


def look_at_columns(table: RawTable, wanted: ToEncode, keep: Callable[[Array], None]) -> ColumnFacts:
    """Fit and encode each column.

    Args:
        table: of all rows; a column of it is asked for once.
        wanted: of it.
        keep: takes the entries of the vectors one by one, [N], in the order in which they are made.

    Raises:
        DataError: see `fitted`.
    """
    found, ids = FittedColumns(), RowIds(len(wanted.names))
    compared = np.empty((len(wanted.compared), len(wanted.names)))
    for place, name in enumerate(wanted.names):
        raw = table.columns[name]
        for column in fit_column(raw, wanted.train, wanted.options, found):
            keep(encoded_column(raw, column))
        if ids.takes(place):
            ids.add(place, ids_of_column(raw))
        compared[:, place] = comparable(raw)[wanted.compared]
    check_any(found, wanted.names)
    return ColumnFacts(found, found.put_in_order(), ids.result(), compared)


def inspected(wanted: ToEncode, found: FittedColumns, compared: Array) -> Inspected:
    """The inputs for warnings."""
    return Inspected(wanted.names, RowsByNumber(wanted.compared, compared), found.constant)


def ids_of_column(column: RawColumn) -> Tensor:
    """What tells the values of a column apart, as they are in the file, int64 [N]."""
    if column.kind != TEXT:
        large = column.values.dtype.kind in "iu" and bool((np.abs(column.numbers) >= EXACT).any())
        return torch.from_numpy(column.values.view(np.int64)) if large else bits(torch.from_numpy(column.numbers))
    known, places = _coded(column)
    return ids_of_texts(known)[torch.from_numpy(places)]


def comparable(column: RawColumn) -> Array:
    """A column as numbers, float64 [N]: words by their place in the alphabet, gaps as NaN."""
    if column.kind != TEXT:
        return column.numbers
    known, places = _coded(column)
    ranks = {text: float(rank) for rank, text in enumerate(sorted(known))} | {"": np.nan}
    return np.array([ranks[text] for text in known])[places]


def _coded(column: RawColumn) -> tuple[list[str], Array]:
    """(the different words, the place of each row's word among them)"""
    texts = column.texts()
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return [*places], np.fromiter((places[text] for text in texts), np.int64, len(texts))
