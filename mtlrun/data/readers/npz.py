"""Arrays from a user's .npz file, read without pickle, and one line for whatever is wrong with it."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.errors import ConfigError, DataError, near_miss

DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, RuntimeError, SyntaxError,
    TokenError, MemoryError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error,
)  # fmt: skip
"""What NumPy raises for a damaged file: its header is read as Python, and may claim any type and size."""


def read_table(
    path: Path, inputs: str, targets: Sequence[str] | None, key: tuple[str, str] | None = None
) -> dict[str, Array]:
    """The inputs and the targets of one file, and what its rows are split by, with the same number of rows.

    Args:
        path: of the .npz file.
        inputs: name of the array of inputs; it comes first in the result.
        targets: names of the arrays of targets; None for all the others.
        key: (option, name) of the array that rows are split by, which may hold texts and times.

    Raises:
        ConfigError: if the file has no array of one of the names.
        DataError: if the file is missing or malformed, or the numbers of rows differ.
    """
    with open_npz(path) as archive:
        names = list(archive.files)
        if targets is None:
            targets = [name for name in names if name != inputs and (key is None or name != key[1])]
        keys = [] if key is None else [key]
        for option, name in [("inputs", inputs), *(("targets", target) for target in targets), *keys]:
            check_present(path, name, names, option)
        table = {name: read_array(path, archive, name) for name in (inputs, *targets)}
        table |= {name: read_column(path, archive, name) for _, name in keys if name not in table}
    if not targets:
        raise DataError(f"{path} has no array besides '{inputs}': add one array of labels per task")
    check_rows(path, table, inputs)
    return table


def open_npz(path: Path) -> np.lib.npyio.NpzFile:
    """The file, opened; its arrays are read when they are asked for."""
    if not path.is_file():
        siblings = sorted(file.name for file in path.parent.glob("*.npz"))
        raise DataError(f"no data file {path}{near_miss(path.name, siblings)}")
    try:
        archive = np.load(path, allow_pickle=False)
    except PermissionError as error:
        raise DataError(f"{path} may not be read: let its owner permit it") from error
    except DAMAGE as error:
        raise DataError(f"{path} is not a .npz file, or damaged: write it with numpy.savez") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(f"{path} holds a single array (.npy): write inputs and labels with numpy.savez")
    twice = next((name for name in archive.files if archive.files.count(name) > 1), None)
    if twice is not None:
        archive.close()
        raise DataError(f"{path} holds two arrays called '{twice}': write the file again with numpy.savez")
    return archive


def read_array(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> Array:
    """One array of numbers or truth values."""
    values = read_column(path, archive, name)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        found = values.dtype if isinstance(values, np.ndarray) else "no array"
        raise DataError(
            f"array '{name}' of {path} should hold numbers or truth values, found {found}: "
            "convert it, or name the arrays to use with data.targets=[...]"
        )
    return values


def read_column(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> Array:
    """One array of whatever needs no pickle."""
    try:
        values: Array = archive[name]
    except MemoryError as error:
        raise DataError(f"array '{name}' of {path} does not fit in memory") from error
    except DAMAGE as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"array '{name}' of {path} holds Python objects, which are not loaded because they may run "
                "code: save it as numbers, or as texts: .astype(str)"
            ) from error
        raise DataError(f"array '{name}' of {path} is damaged: write the file again") from error
    return values


def check_present(path: Path, name: str, names: list[str], option: str) -> None:
    """Raise ConfigError if the file has no array of that name."""
    if name not in names:
        raise ConfigError(
            f"{path} has no array '{name}' (data.{option}){near_miss(name, names)} "
            f"(there are: {', '.join(names) or 'none'})"
        )


def check_rows(path: Path, table: dict[str, Array], inputs: str) -> None:
    """Raise DataError unless every array has as many rows as the inputs."""
    num_rows = len(table[inputs]) if table[inputs].ndim else 0
    for name, values in table.items():
        found = f"{len(values)} rows" if values.ndim else "a single number"
        if not values.ndim or len(values) != num_rows:
            raise DataError(
                f"{path} has {num_rows} rows of '{inputs}' but {found} of '{name}': "
                "give every row a label (-1 or NaN for none), or name the tasks with data.targets=[...]"
            )
