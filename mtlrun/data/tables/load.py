"""A user's table, from its files to the sources of each split."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.duplicates import warn_of_duplicates
from mtlrun.data.fingerprint import ids_of_rows, ids_of_texts
from mtlrun.data.label_kinds import Labels
from mtlrun.data.label_warnings import Inspected, warn_before_training
from mtlrun.data.row_splits import SplitKey, check_sizes, sizes_of
from mtlrun.data.source import Source, Splits
from mtlrun.data.split_plan import SplitOptions, bits, check_labels, planned, statement
from mtlrun.data.split_sizes import SPLITS
from mtlrun.data.tables.encode import EncodingOptions, FittedColumns, encoded, fitted
from mtlrun.data.tables.raw import EXACT, TEXT, RawColumn, RawTable, appended
from mtlrun.data.tables.read import read_raw
from mtlrun.data.tables.source import TableSource
from mtlrun.data.tables.targets import labels_by_task
from mtlrun.data.variety import check_variety
from mtlrun.errors import ConfigError, near_miss
from mtlrun.lines import shortened
from mtlrun.types import MISSING_FLAG

log = logging.getLogger(__name__)

SHOWN = 12
"""Columns of which the line about the inputs says what they were taken for."""
NAME = "arrays"
"""Of the sources, as of those that are made from arrays."""


@dataclass(frozen=True)
class TableOptions:
    """The options of the same names, see `mtlrun.data.sets.arrays.load`; files: those of train, val and test."""

    files: Sequence[Path]
    inputs: Sequence[str] | None
    targets: Sequence[str] | None
    max_classes: int
    kinds: Mapping[str, str]
    encoding: EncodingOptions


def load_table(options: TableOptions, splitting: SplitOptions) -> Splits:
    """One source with a task for each column of labels.

    Raises:
        ConfigError: if an option names a column that is not there, or nothing says which columns are labels.
        DataError: if a file is malformed, or not enough to train each task.
    """
    table, counts = read_files(options.files)
    check_sizes(sizes_of(counts[0], splitting.shares), sum(counts))
    inputs, targets = roles(table, options, splitting.key)
    columns = {target: table.columns[target] for target in targets}
    labels = labels_by_task(columns, options.kinds, options.max_classes, options.encoding.categories)
    rows, how = planned(splitting, counts, labels, key_of(table, splitting.key))
    check_labels(labels, rows)
    check_variety(labels, rows)
    train = rows["train"].numpy()
    found = fitted(table, inputs, train, options.encoding)
    values = encoded(table, found.columns)
    ids = ids_of_columns([table.columns[name] for name in inputs])
    tell(table, found, options.encoding.rare)
    warn_before_training(labels, train, inspected(table, inputs, found))
    warn_of_duplicates(ids, labels, rows)
    training, val, test = ([_source(values, rows[split], labels, found, ids)] for split in SPLITS)
    inferred = {task: label.kind for task, label in labels.items()}
    return Splits(training, val, test, statement(rows, labels, how), inferred)


def read_files(files: Sequence[Path]) -> tuple[RawTable, list[int]]:
    """The rows of all files, and how many each has; what was made of the files is said."""
    tables = [read_raw(file) for file in files]
    whole = reduce(lambda one, pair: appended(one, pair[1], (files[0], pair[0])), zip(files[1:], tables[1:]), tables[0])
    for note in whole.notes:
        log.info(note)
    return whole, [len(table) for table in tables]


def roles(table: RawTable, options: TableOptions, key: tuple[str, str] | None) -> tuple[list[str], list[str]]:
    """The columns that are inputs, and those that are labels: where only one of them is named, the others are all that
    are left.

    Raises:
        ConfigError: if neither is named, or a name is not there or is both.
    """
    there = [*table.columns]
    for option, names in (("inputs", options.inputs), ("targets", options.targets)):
        for name in names or ():
            check_column(table, name, f"data.{option}")
    others = [("categories", name) for name in options.encoding.categories] + ([key] if key else [])
    for option, name in others:
        check_column(table, name, f"data.{option}")
    if options.inputs is None and options.targets is None:
        raise ConfigError(
            f"{options.files[0]}: say which columns are to be predicted, as in data.targets=[{there[-1]}] (there are: "
            f"{shortened(there, 20)})"
        )
    aside = [key[1]] if key else []
    targets = options.targets if options.targets is not None else _others(there, [*(options.inputs or ()), *aside])
    inputs = options.inputs if options.inputs is not None else _others(there, [*targets, *aside])
    both = next((name for name in inputs if name in targets), None)
    if both is not None:
        raise ConfigError(f"column '{both}' is named in data.inputs and in data.targets: it is one of them")
    if not inputs or not targets:
        lacking = "inputs" if not inputs else "targets"
        raise ConfigError(f"no column is left for data.{lacking} (there are: {shortened(there, 20)})")
    return [*inputs], [*targets]


def _others(there: Sequence[str], taken: Collection[str]) -> list[str]:
    known = set(taken)
    return [name for name in there if name not in known]


def check_column(table: RawTable, name: str, option: str) -> None:
    """Raise ConfigError if the table has no such column."""
    if name not in table.columns:
        near = near_miss(name, table.columns)
        raise ConfigError(f"no column '{name}' ({option}){near} (there are: {shortened([*table.columns], 20)})")


def key_of(table: RawTable, key: tuple[str, str] | None) -> SplitKey | None:
    """The column that rows are split by."""
    if key is None:
        return None
    column = table.columns[key[1]]
    if key[0] == "order":
        column.usable()
    return SplitKey(key[0], key[1], column_key(column))


def column_key(column: RawColumn) -> Array:
    """[N] what rows are split by: numbers with NaN for none, or an object array of texts with '' for none."""
    if column.missing.all():
        column.usable()
    if column.kind != TEXT:
        return column.distinct()
    values = np.empty(len(column.values), dtype=object)
    values[:] = column.texts()
    return values


def ids_of_columns(columns: Sequence[RawColumn]) -> Tensor:
    """A number for each row by what its columns hold as they are in the file, int64 [N]."""
    return ids_of_rows(torch.stack([_ids(column) for column in columns], 1))


def _ids(column: RawColumn) -> Tensor:
    if column.kind != TEXT:
        large = column.values.dtype.kind in "iu" and bool((np.abs(column.numbers) >= EXACT).any())
        return torch.from_numpy(column.values.view(np.int64)) if large else bits(torch.from_numpy(column.numbers))
    known, places = np.unique(np.array(column.texts()), return_inverse=True)
    return ids_of_texts(known.tolist())[torch.from_numpy(places)]


def inspected(table: RawTable, inputs: Sequence[str], found: FittedColumns) -> Inspected:
    """The inputs as columns of numbers: words by their place in the alphabet, gaps as NaN."""
    values = np.stack([_numbers(table.columns[name]) for name in inputs], 1)
    return Inspected(inputs, values, found.constant)


def _numbers(column: RawColumn) -> Array:
    if column.kind != TEXT:
        return column.numbers
    return np.unique(np.array(column.texts()), return_inverse=True)[1].astype(np.float64)


def tell(table: RawTable, found: FittedColumns, rare: int) -> None:
    """Say what was inferred of each column of inputs."""
    if found.singular:
        log.info("left out, since no word occurs in %d training rows: %s", rare, shortened(found.singular))
    said = [f"{name}: {words}" for name, words in found.said.items() if words != "number"]
    plain = len(found.said) - len(said)
    numbers = [f"{plain} of plain numbers"] if plain else []
    flags = sum(column.kind == MISSING_FLAG for column in found.columns)
    gaps = any(table.columns[name].missing.any() for name in found.said)
    log.info(
        "inputs of %d columns%s%s: %s",
        len(found.said),
        f" and {flags} flags of missing values" if flags else "",
        f", gaps counted in all {len(table)} rows" if gaps else "",
        "; ".join([*numbers, *said[:SHOWN]]) + (f"; and {len(said) - SHOWN:,} more" if len(said) > SHOWN else ""),
    )


def _source(values: Array, rows: Tensor, labels: Mapping[str, Labels], found: FittedColumns, ids: Tensor) -> Source:
    return TableSource(
        NAME,
        torch.from_numpy(values)[rows],
        {task: label.values[rows] for task, label in labels.items()},
        {task: label.labelled[rows] for task, label in labels.items()},
        found.columns,
        row_ids=ids[rows],
    )
