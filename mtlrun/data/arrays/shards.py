"""Folders of Parquet or Arrow files: columns of numbers, decoded once, a part at a time, into mapped arrays."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtlrun.atomic import whole_folder
from mtlrun.data.array_cache import Array, code_version, file_name
from mtlrun.data.arrays.npy_files import array_names
from mtlrun.data.readers.arrow_tables import arrow_library
from mtlrun.data.readers.folders import is_stray
from mtlrun.data.tables.target_names import task_names
from mtlrun.errors import ConfigError, DataError, near_miss
from mtlrun.lines import shortened

log = logging.getLogger(__name__)

PARQUET, ARROW = (".parquet", ".pq"), (".arrow",)
INPUTS = "inputs"
"""The array that the columns of inputs become."""


@dataclass(frozen=True)
class ShardColumns:
    """Which columns are what: `inputs` None for all that are nothing else; `key` (option, name) splits the rows."""

    inputs: Sequence[str] | None
    targets: Sequence[str] | None
    key: tuple[str, str] | None


def shards_of(folder: Path) -> list[Path]:
    """The Parquet or Arrow files of a folder, in alphabetical order; none beside .npy files."""
    if not folder.is_dir() or array_names(folder):
        return []
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PARQUET + ARROW and not is_stray(path))
    return found if len({path.suffix.lower() in ARROW for path in found}) == 1 else []


def array_folder(folder: Path, columns: ShardColumns, cache: Path) -> tuple[Path, dict[str, str]]:
    """The folder of the arrays that the shards hold, and column -> array for the targets and the key.

    Decoded again if a shard has another name, size or time, or other columns are asked for.

    Args:
        folder: of the shards.
        columns: to take.
        cache: folder in which the arrays are kept.

    Raises:
        ConfigError: if pyarrow is not installed, no targets are named, or a column is not there.
        DataError: if a file is damaged, an input is no column of numbers or has gaps, or there is no room on the disk.
    """
    shards = shards_of(folder)
    schema = _schema(shards[0])
    chosen = _chosen(folder, columns, schema)
    labels = [*dict.fromkeys([*(columns.targets or ()), *([columns.key[1]] if columns.key else [])])]
    names = task_names(labels)
    if INPUTS in names.values():
        raise DataError(f"{folder}: no column of labels may be called '{INPUTS}', which is what the others become")
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in shards]
    key = {"code": code_version("mtlrun.data.arrays"), "shards": states, "columns": [chosen, names]}
    kept = cache / file_name(folder.name, key).removesuffix(".npz")
    if not all((kept / f"{name}.npy").is_file() for name in (INPUTS, *names.values())):
        _decode(shards, chosen, names, schema, kept)
    size = sum(path.stat().st_size for path in kept.iterdir()) / 2**20
    log.info("%s: %d columns of %d files, kept as arrays in %s (%.0f MB)", folder, len(chosen), len(shards), kept, size)
    return kept, names


def _chosen(folder: Path, columns: ShardColumns, schema: Any) -> list[str]:
    """The columns of inputs.

    Raises:
        ConfigError, DataError: see `array_folder`.
    """
    there = [*schema.names]
    if not columns.targets:
        raise ConfigError(
            f"{folder}: name the columns of labels with data.targets=[...] (there are: {shortened(there)})"
        )
    keys = [columns.key] if columns.key else []
    wanted = [("inputs", name) for name in columns.inputs or ()] + [("targets", name) for name in columns.targets]
    for option, name in (*wanted, *keys):
        if name not in there:
            raise ConfigError(
                f"{folder} has no column '{name}' (data.{option}){near_miss(name, there)} "
                f"(there are: {shortened(there)})"
            )
    others = [name for name in there if name not in (*columns.targets, *(name for _, name in keys))]
    chosen = others if columns.inputs is None else [*columns.inputs]
    for name in (*chosen, *columns.targets):
        if not _is_number(schema.field(name).type):
            raise DataError(
                f"column '{name}' of {folder} holds {schema.field(name).type}, and a folder of files takes columns of "
                "numbers alone: name others in data.inputs=[...] and data.targets=[...], or encode it"
            )
    if not chosen:
        raise DataError(f"{folder} has no columns besides its labels")
    return chosen


def _decode(shards: Sequence[Path], inputs: Sequence[str], names: Mapping[str, str], schema: Any, kept: Path) -> None:
    """Write the arrays, which appear only when they are complete."""
    rows = sum(len(part) for path in shards for part in _parts(path, [inputs[0]]))
    dtype = np.result_type(np.float16, *(_dtype(schema.field(name).type) for name in inputs))
    dtype = np.dtype(np.float32) if dtype.itemsize <= 4 else np.dtype(np.float64)
    needed = rows * len(inputs) * dtype.itemsize
    kept.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(kept.parent).free < needed:
        raise DataError(f"{kept.parent} has no room for {needed / 2**20:.0f} MB of arrays: set data.cache to a folder")
    with whole_folder(kept) as unfinished:
        values = np.lib.format.open_memmap(unfinished / f"{INPUTS}.npy", "w+", dtype, (rows, len(inputs)))
        labels: dict[str, list[Array]] = {name: [] for name in names}
        start = 0
        for path, part in _all_parts(shards, [*dict.fromkeys([*inputs, *names])]):
            stop = start + len(part)
            for place, name in enumerate(inputs):
                values[start:stop, place] = _without_gaps(path, name, part.column(name))
            for name in names:
                labels[name].append(_label(part.column(name)))
            start = stop
        values.flush()
        for name, array in names.items():
            np.save(unfinished / f"{array}.npy", np.concatenate(labels[name]), allow_pickle=False)


def _all_parts(shards: Sequence[Path], columns: Sequence[str]) -> Iterator[tuple[Path, Any]]:
    """Each part of each file, with the file."""
    return ((path, part) for path in shards for part in _parts(path, columns))


def _parts(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """Row groups of a Parquet file, or the batches of an Arrow file: tables of the columns.

    Raises:
        DataError: if the file is damaged, or has not the columns.
    """
    pyarrow = arrow_library(path)
    try:
        if path.suffix.lower() in ARROW:
            for batch in _stream(path):
                yield pyarrow.Table.from_batches([batch]).select(columns)
            return
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=columns).select(columns)
    except KeyError as error:
        raise DataError(f"{path} lacks the column {error}, which the first file of the folder has") from error
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is no {path.suffix} file, or damaged: write it again") from error


def _stream(path: Path) -> Any:
    from pyarrow import ipc, memory_map

    return ipc.open_stream(memory_map(str(path)))


def _schema(path: Path) -> Any:
    """Names and types of the columns.

    Raises:
        DataError: if the file is damaged, or names a column twice.
    """
    pyarrow = arrow_library(path)
    from pyarrow import parquet

    try:
        schema = _stream(path).schema if path.suffix.lower() in ARROW else parquet.read_schema(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is no {path.suffix} file, or damaged: write it again") from error
    twice = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two columns called '{twice}': give each a name of its own")
    return schema


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _dtype(kind: Any) -> np.dtype[Any]:
    return np.dtype(kind.to_pandas_dtype())


def _without_gaps(path: Path, name: str, column: Any) -> Array:
    """A part of a column of inputs."""
    if column.null_count:
        raise DataError(
            f"column '{name}' of {path} has {column.null_count} rows without a value: fill or drop them (only labels "
            "may be missing), or leave it out with data.inputs=[...]"
        )
    values: Array = column.to_numpy()
    return values


def _label(column: Any) -> Array:
    """A part of a column of labels, or of what rows are split by: NaN, NaT or '' for no value."""
    values: Array = column.to_numpy()
    if values.dtype != object:
        return values
    given = column.to_pylist()
    if all(value is None or isinstance(value, bool) for value in given):
        return np.array([np.nan if value is None else float(value) for value in given])
    return np.array(["" if value is None else str(value) for value in given])
