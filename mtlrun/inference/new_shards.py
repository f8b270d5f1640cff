"""Labelled rows of a folder of shards, for a network that was trained on a table: more than memory holds."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mtlrun.data.arrays.encoded_shards import Keep, encoded_once, writable
from mtlrun.data.arrays.shard_table import ShardTable, shard_table
from mtlrun.data.arrays.shards import tell_of_unread
from mtlrun.data.fingerprint import RowIds
from mtlrun.data.source import Source
from mtlrun.data.tables.column_pass import ColumnFacts, ids_of_column
from mtlrun.data.tables.encode import FittedColumns
from mtlrun.inference.columns import EncodeColumns, check_present, names_of_words, numbers_of, taken
from mtlrun.inference.description import InputDescription, ModelDescription
from mtlrun.inference.new_rows import labels_in
from mtlrun.types import InputColumn


def shard_rows(folder: Path, entry: InputDescription, description: ModelDescription, cache: Path) -> Source:
    """As `mtlrun.inference.new_rows.table_rows`; the rows are encoded once and kept in `cache`.

    Raises:
        ConfigError: if pyarrow is not installed.
        DataError: as `table_rows`; if a file is damaged, or there is no room on the disk.
    """
    words = names_of_words(entry.columns)
    read = partial(shard_table, [folder], writable(cache))
    table = read(words)
    tell_of_unread(folder)
    check_present(folder, table, entry.columns)
    labels = labels_in(folder, read, table, words, description, {column.name for column in entry.columns})
    names = [column.name for column in taken(entry.columns)]
    key = {"names": names, "encoding": [asdict(column) for column in entry.columns]}
    kept = encoded_once(table, key, cache, partial(_encoded, folder, table, entry.columns))
    return kept.source(torch.arange(len(table)), labels)


def _encoded(folder: Path, table: ShardTable, columns: tuple[InputColumn, ...], keep: Keep) -> ColumnFacts:
    """Each column of the table by what the columns of the vectors say."""
    wanted, order = taken(columns), list[int]()
    ids = RowIds(len(wanted))
    for place, column in enumerate(wanted):
        raw = table.columns[column.name]
        numbers = torch.from_numpy(numbers_of(folder, raw, column)).unsqueeze(1)
        made = tuple(one for one in columns if one.name == column.name)
        for values in EncodeColumns(made)(numbers).unbind(1):
            keep(values.numpy())
        order += [at for at, one in enumerate(columns) if one.name == column.name]
        if ids.takes(place):
            ids.add(place, ids_of_column(raw))
    back = np.argsort(order).tolist()
    return ColumnFacts(FittedColumns([*columns]), back, ids.result(), np.empty((0, len(wanted))))
