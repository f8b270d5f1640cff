"""Inputs of a folder of shards: encoded once, column after column, into an array on the disk that is then mapped."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtlrun.atomic import whole_folder
from mtlrun.data.array_cache import Array, code_version, file_name
from mtlrun.data.arrays.column_file import ColumnFile
from mtlrun.data.arrays.mapped_source import MappedSource
from mtlrun.data.arrays.row_map import RowMap
from mtlrun.data.arrays.shard_table import ShardTable
from mtlrun.data.label_kinds import Labels
from mtlrun.data.source import Source
from mtlrun.data.tables.column_pass import ColumnFacts, EncodedInputs, ToEncode, inspected, look_at_columns
from mtlrun.data.tables.encode import FittedColumns
from mtlrun.data.tables.held_inputs import NAME
from mtlrun.errors import DataError
from mtlrun.types import InputColumn

log = logging.getLogger(__name__)

KEPT = "arrays"
"""Folder of the cache."""
INPUTS, FACTS = "inputs.npy", "facts.npz"
"""What is kept: the rows, and in an archive, whose parts have checksums, what was found of them."""
BLOCK_BYTES = 2**26
"""Of rows that are put together at once."""
PATIENCE = 20.0
"""Seconds between two lines that say how far the reading is."""

Keep = Callable[[Array], None]


@dataclass(frozen=True)
class Kept:
    """Where encoded rows are, and what was found of them."""

    folder: Path
    facts: ColumnFacts

    def source(self, rows: Tensor, labels: Mapping[str, Labels]) -> Source:
        """Some of the rows, with the labels of all."""
        return MappedSource(
            NAME,
            RowMap([self.folder / INPUTS], "inputs"),
            rows,
            {task: label.values[rows] for task, label in labels.items()},
            {task: label.labelled[rows] for task, label in labels.items()},
            row_ids=self.facts.ids[rows],
            columns=self.facts.found.columns,
        )


def mapped_inputs(table: ShardTable, wanted: ToEncode, cache: Path) -> EncodedInputs:
    """The inputs of all rows; encoded anew if a file, the columns, an option or the training rows are others.

    Args:
        table: of shards.
        wanted: of it.
        cache: folder in which the encoded rows are kept.

    Raises:
        DataError: see `mtlrun.data.tables.encode.fitted`; if there is no room on the disk.
    """
    rows = [hashlib.sha256(rows.tobytes()).hexdigest() for rows in (wanted.train, wanted.compared)]
    key = {"names": [*wanted.names], "rows": rows, "options": _plain(wanted)}
    kept = encoded_once(table, key, cache, lambda keep: look_at_columns(table, wanted, keep))
    return EncodedInputs(
        kept.facts.found, kept.facts.ids, inspected(wanted, kept.facts.found, kept.facts.compared), kept.source
    )


def encoded_once(table: ShardTable, key: Mapping[str, Any], cache: Path, look: Callable[[Keep], ColumnFacts]) -> Kept:
    """The encoded rows, from the cache if they are there.

    Args:
        table: of shards.
        key: all that the encoding depends on beside the files.
        cache: folder in which they are kept.
        look: makes the facts, and hands on each column.

    Raises:
        DataError: see `mapped_inputs`.
    """
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in table.files]
    code = [code_version(f"mtlrun.data.{room}") for room in ("arrays", "tables")]
    name = file_name(table.files[0].parent.name, {**key, "files": states, "code": code}).removesuffix(".npz")
    kept = cache / name
    facts = _read(kept, len(table))
    if facts is None:
        _check_room(cache, 2 * 4 * len(table) * len(key["names"]))
        facts = _write(table, kept, look)
    table.columns.close()
    found = Kept(kept, facts)
    size = (kept / INPUTS).stat().st_size / 2**20
    width = len(found.facts.found.columns)
    files = "1 file" if len(table.files) == 1 else f"{len(table.files)} files"
    log.info("%s, kept encoded in %s (%d numbers a row, %.0f MB)", files, kept, width, size)
    return found


def writable(cache: Path) -> Path:
    """The folder, made if it is not there.

    Raises:
        DataError: if nothing can be written there.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not os.access(cache, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise DataError(f"{cache} cannot be written ({error.strerror}): set data.cache to a folder") from error
    return cache


def _plain(wanted: ToEncode) -> list[Any]:
    options = wanted.options
    return [options.standardise, options.rare, sorted(options.categories)]


def _check_room(cache: Path, needed: int) -> None:
    if shutil.disk_usage(cache).free < needed:
        raise DataError(f"{cache} has no room for {needed / 2**20:.0f} MB of arrays: set data.cache to a folder")


def _write(table: ShardTable, kept: Path, look: Callable[[Keep], ColumnFacts]) -> ColumnFacts:
    """Column after column, then turned into rows; the files appear when they are complete."""
    with whole_folder(kept) as unfinished, ColumnFile(unfinished, len(table), np.float32) as columns:
        count, told = 0, time.monotonic()

        def keep(values: Array) -> None:
            nonlocal count, told
            columns.write_column(count, values)
            count += 1
            if time.monotonic() - told > PATIENCE:
                log.info("encoded %d columns of %d rows", count, len(table))
                told = time.monotonic()

        facts = look(keep)
        _write_rows(unfinished / INPUTS, columns, len(table), facts.order)
        found = np.array(json.dumps(asdict(facts.found)))
        np.savez(unfinished / FACTS, ids=facts.ids.numpy(), compared=facts.compared, found=found)
    return facts


def _write_rows(path: Path, columns: ColumnFile, rows: int, order: Sequence[int]) -> None:
    """A .npy file [rows, columns]."""
    form = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False}
    at_once = max(1, BLOCK_BYTES // (4 * len(order)))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {**form, "shape": (rows, len(order))})
        for start in range(0, rows, at_once):
            file.write(columns.rows(start, min(rows, start + at_once), order).data)


def _read(kept: Path, rows: int) -> ColumnFacts | None:
    """What was found of so many rows; None if nothing is kept that can be used."""
    if not kept.is_dir():
        return None
    try:
        with np.load(kept / FACTS, allow_pickle=False) as archive:
            arrays = dict(archive)
        content = json.loads(str(arrays["found"]))
        made = [InputColumn(**{**column, "values": tuple(column["values"])}) for column in content.pop("columns")]
        inputs = RowMap([kept / INPUTS], "inputs")
        shapes = [(len(inputs), *inputs.row_shape), inputs.dtype, len(arrays["ids"])]
        if shapes != [(rows, len(made)), np.dtype(np.float32), rows]:
            raise ValueError("its arrays are of other shapes")
    except Exception as problem:  # a header is read as Python and may claim 16 TB: there is no list of what can come
        log.warning("%s is damaged (%s: %s): making it again", kept, type(problem).__name__, problem)
        return None
    ids = torch.from_numpy(arrays["ids"])
    return ColumnFacts(FittedColumns(made, **content), [*range(len(made))], ids, arrays["compared"])
