"""A user's table, from its files to the sources of each split."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.duplicates import warn_of_duplicates
from mtlrun.data.label_warnings import compared_rows, warn_before_training
from mtlrun.data.row_splits import SplitKey, check_sizes, sizes_of
from mtlrun.data.source import Splits
from mtlrun.data.split_plan import SplitOptions, check_labels, planned, statement
from mtlrun.data.split_sizes import SPLITS
from mtlrun.data.tables.column_pass import EncodedInputs, ToEncode
from mtlrun.data.tables.encode import EncodingOptions, FittedColumns
from mtlrun.data.tables.held_inputs import held_inputs
from mtlrun.data.tables.raw import TEXT, RawColumn, RawTable, appended
from mtlrun.data.tables.read import read_raw
from mtlrun.data.tables.targets import labels_by_task
from mtlrun.data.tables.vectors import column_of, columns_of, vectors_in
from mtlrun.data.variety import check_variety
from mtlrun.errors import ConfigError, near_miss
from mtlrun.lines import shortened
from mtlrun.types import MISSING_FLAG

log = logging.getLogger(__name__)

SHOWN = 12
"""Columns of which the line about the inputs says what they were taken for."""

Encode = Callable[[ToEncode], EncodedInputs]
"""Makes the inputs of a table."""


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
    return splits_of_table(table, counts, options, splitting, partial(held_inputs, table))


def splits_of_table(
    table: RawTable, counts: Sequence[int], options: TableOptions, splitting: SplitOptions, encode: Encode
) -> Splits:
    """The same of a table that is there.

    Args:
        table: the rows of all files.
        counts: how many each file has.
        options, splitting: see `load_table`.
        encode: makes the inputs.

    Raises:
        ConfigError, DataError: see `load_table`.
    """
    check_sizes(sizes_of(counts[0], splitting.shares), sum(counts))
    inputs, targets = roles(table, options, splitting.key)
    columns = {target: column_of(table, target) for target in targets}
    labels = labels_by_task(columns, options.kinds, options.max_classes, options.encoding.categories)
    rows, how = planned(splitting, counts, labels, key_of(table, splitting.key))
    check_labels(labels, rows)
    check_variety(labels, rows)
    train = rows["train"].numpy()
    made = encode(ToEncode(inputs, train, compared_rows(labels), options.encoding))
    tell(len(table), made.found, options.encoding.rare)
    warn_before_training(labels, train, made.inspected)
    warn_of_duplicates(made.ids, labels, rows, splitting.group is not None)
    training, val, test = ([made.source(rows[split], labels)] for split in SPLITS)
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
    vectors = {*vectors_in(there)}
    for option, names in (("inputs", options.inputs), ("targets", options.targets)):
        for name in [name for name in names or () if name not in vectors]:
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
    named = None if options.inputs is None else _columns(options.inputs, table.columns)
    targets = options.targets if options.targets is not None else _others(there, [*(named or ()), *aside])
    inputs = named if named is not None else _others(there, [*_columns(targets, table.columns), *aside])
    labels = {*_columns(targets, table.columns)}
    both = next((name for name in inputs if name in labels), None)
    if both is not None:
        raise ConfigError(f"column '{both}' is named in data.inputs and in data.targets: it is one of them")
    if not inputs or not targets:
        lacking = "inputs" if not inputs else "targets"
        raise ConfigError(f"no column is left for data.{lacking} (there are: {shortened(there, 20)})")
    return [*inputs], [*targets]


def _others(there: Sequence[str], taken: Collection[str]) -> list[str]:
    known = set(taken)
    return [name for name in there if name not in known]


def _columns(names: Iterable[str], there: Collection[str]) -> list[str]:
    """Those that the names stand for, each once."""
    return [*dict.fromkeys(column for name in names for column in columns_of(name, there))]


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


def tell(count: int, found: FittedColumns, rare: int) -> None:
    """Say what was inferred of each column of inputs, of so many rows."""
    if found.singular:
        log.info("left out, since no word occurs in %d training rows: %s", rare, shortened(found.singular))
    said = [f"{name}: {words}" for name, words in found.said.items() if words != "number"]
    plain = len(found.said) - len(said)
    numbers = [f"{plain} of plain numbers"] if plain else []
    flags = sum(column.kind == MISSING_FLAG for column in found.columns)
    log.info(
        "inputs of %d columns%s%s: %s",
        len(found.said),
        f" and {flags} flags of missing values" if flags else "",
        f", gaps counted in all {count} rows" if found.gaps else "",
        "; ".join([*numbers, *said[:SHOWN]]) + (f"; and {len(said) - SHOWN:,} more" if len(said) > SHOWN else ""),
    )
