"""A table by the ending of its file's name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import chain
from pathlib import Path

from mtlrun.data.readers.arrow_tables import ARROW, PARQUET
from mtlrun.data.readers.npz import open_npz, read_column
from mtlrun.data.tables.csv_file import read_csv_file
from mtlrun.data.tables.named_arrays import columns_of_array
from mtlrun.data.tables.parquet_file import read_parquet_file
from mtlrun.data.tables.raw import RawTable, without_doubt
from mtlrun.data.tables.vectors import check_apart
from mtlrun.errors import DataError, near_miss
from mtlrun.lines import shortened

ARRAYS = (".npz", ".npy")
TABLES: dict[str, Callable[[Path, Collection[str]], RawTable]] = {
    ".csv": read_csv_file,
    ".tsv": read_csv_file,
    ".txt": read_csv_file,
    ".csv.gz": read_csv_file,
    ".tsv.gz": read_csv_file,
    **dict.fromkeys((*PARQUET, *ARROW), read_parquet_file),
}


def ending(path: Path) -> str:
    """The ending of the name, in small letters; with the one before it for packed files."""
    return "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lower()


def is_table(path: Path) -> bool:
    """Whether the name is that of a file of columns; other names are left to the reader of arrays."""
    return ending(path) in TABLES


def read_raw(path: Path, as_words: Collection[str] = ()) -> RawTable:
    """The columns of a file of texts, a Parquet or Arrow file, or the arrays [N] and [N, D] of a .npz file.

    Args:
        path: of the file.
        as_words: names of columns whose texts are words, whatever they look like: what a column is taken for hangs on
            the rows of a file, and in a new file should be what it was in training.

    Raises:
        DataError: if the file is missing or malformed; it says which line or column.
    """
    if ending(path) in TABLES:
        if not path.is_file():
            siblings = sorted(file.name for file in path.parent.glob(f"*{ending(path)}"))
            raise DataError(f"no data file {path}{near_miss(path.name, siblings)}")
        table = TABLES[ending(path)](path, as_words)
    else:
        table = _read_arrays(path, as_words)
    lengths = {len(column.values): name for name, column in table.columns.items()}
    if len(lengths) > 1:
        (one, first), (two, second), *_ = lengths.items()
        raise DataError(f"{path} has {one} rows of '{first}' but {two} of '{second}': a table needs one value a row")
    return without_doubt(table)


def _read_arrays(path: Path, as_words: Collection[str]) -> RawTable:
    """The columns of a .npz file; which arrays are none is noted."""
    with open_npz(path) as archive:
        arrays = {name: read_column(path, archive, name) for name in archive.files}
    found = {name: columns_of_array(name, values, name in as_words) for name, values in arrays.items()}
    check_apart(path, chain.from_iterable(found.values()))
    columns = {name: column for parts in found.values() for name, column in parts.items()}
    if not columns:
        raise DataError(f"{path} has no array [N], and so no column: name its array of inputs with data.inputs=NAME")
    none = [f"{name} {list(arrays[name].shape)} of {arrays[name].dtype}" for name, parts in found.items() if not parts]
    notes = [f"left out, since a table takes arrays [N], and numbers [N, D]: {shortened(none)}"] if none else []
    return RawTable(columns, notes)
