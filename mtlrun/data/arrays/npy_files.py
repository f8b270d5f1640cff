"""A folder of .npy files, one for each array: labels are read, inputs are mapped; one line for whatever is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.readers.arrow_tables import ARROW, PARQUET
from mtlrun.data.readers.folders import DEPTH, above, folders_in, is_stray
from mtlrun.data.readers.npz import DAMAGE, check_rows
from mtlrun.errors import ConfigError, DataError, near_miss
from mtlrun.lines import shortened

OPTION = "data.path"
ROWS = (".npy", *PARQUET, *ARROW)
"""Endings of files of which a folder is read."""
TEXTS = (".csv", ".tsv", ".txt", ".gz", ".npz")
"""Endings of files that are a table each."""


def read_folder(
    folder: Path, inputs: str, targets: Sequence[str] | None, key: tuple[str, str] | None = None
) -> dict[str, Array]:
    """The arrays of a folder, under the names of its files without .npy; see `mtlrun.data.readers.npz.read_table`.

    The inputs are a map of their file, of which nothing is read; all others are in memory.

    Raises:
        ConfigError: if the folder has no file of one of the names.
        DataError: if it has no arrays, or one is malformed, or the numbers of rows differ.
    """
    names = array_names(folder)
    if not names:
        raise DataError(f"{folder} {_other_things(folder)}")
    if targets is None:
        targets = [name for name in names if name != inputs and (key is None or name != key[1])]
    keys = [] if key is None else [key]
    for option, name in [("inputs", inputs), *(("targets", target) for target in targets), *keys]:
        if name not in names:
            raise ConfigError(
                f"{folder} has no file {name}.npy (data.{option}){near_miss(name, names)} "
                f"(there are: {shortened([f'{name}.npy' for name in names])})"
            )
    table = {inputs: numbers(folder, inputs, mapped=True)} | {name: numbers(folder, name) for name in targets}
    table |= {name: opened(folder / f"{name}.npy") for _, name in keys if name not in table}
    if not targets:
        raise DataError(f"{folder} has no .npy file besides {inputs}.npy: add one array of labels per task")
    check_rows(folder, table, inputs)
    return table


def array_names(folder: Path) -> list[str]:
    """What the .npy files of a folder are called, in alphabetical order."""
    try:
        return sorted(path.stem for path in folder.iterdir() if path.suffix == ".npy" and not is_stray(path))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error


def numbers(folder: Path, name: str, mapped: bool = False) -> Array:
    """One array of numbers or truth values."""
    values = opened(folder / f"{name}.npy", mapped)
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"{folder / name}.npy should hold numbers or truth values, found {values.dtype}: convert it, or name the "
            "arrays to use with data.targets=[...]"
        )
    return values


def opened(path: Path, mapped: bool = False) -> Array:
    """The array of a file, read or mapped.

    Raises:
        DataError: if it may not be read, is damaged, or holds what needs pickle.
    """
    try:
        values = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except PermissionError as error:
        raise DataError(f"{path} may not be read: let its owner permit it") from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit in memory") from error
    except DAMAGE as error:
        if "Python objects" in str(error) or "Object arrays" in str(error):
            raise DataError(
                f"{path} holds Python objects, which are not loaded because they may run code: save it as numbers, "
                "or as texts: .astype(str)"
            ) from error
        raise DataError(f"{path} is no .npy file, or damaged: write it with numpy.save") from error
    if not isinstance(values, np.ndarray):
        values.close()
        raise DataError(f"{path} is a .npz file by another name: unpack it, or call it .npz")
    return values


def _other_things(folder: Path) -> str:
    """What is there in place of arrays, and where arrays are."""
    level = [folder]
    for _ in range(DEPTH):
        level = [inner for outer in level for inner in folders_in(outer)]
        fitting = [inner for inner in level if _has_rows(inner)]
        if fitting and all("=" in inner.name for inner in fitting):
            return _parts_of_a_table([inner.name for inner in fitting])
        if fitting:
            listed = shortened([str(inner) for inner in fitting])
            return f"has no arrays itself, but there are some in {listed}: set {OPTION}={fitting[0]}"
    there = sorted(path.name for path in folder.iterdir() if not is_stray(path))
    higher = above(folder, lambda outer: "inputs" in array_names(outer), OPTION)
    endings = {Path(name).suffix.lower() for name in there}
    if endings & {*PARQUET} and endings & {*ARROW}:
        return (
            f"holds Parquet and Arrow files ({shortened(there)}): leave Parquet files alone there, or Arrow files alone"
        )
    found = f"holds {shortened(there)}" if there else "is empty"
    if not higher and endings & {*TEXTS}:
        one = next(name for name in there if Path(name).suffix.lower() in TEXTS)
        return f"{found}: such files are not joined, name one file, as in {OPTION}={folder / one}"
    expected = "inputs.npy and one .npy file of labels for each task, Parquet files alone, or Arrow files alone"
    return f"{found}{higher}: expected {expected}; or name a file"


def _parts_of_a_table(names: Sequence[str]) -> str:
    """What to say of folders as Hive and Spark make them, one for each value of a column."""
    column = names[0].partition("=")[0]
    return (
        f"holds {shortened(names)}: folders for the values of '{column}' are not read as one table, join them into one "
        "file, or put their files into one folder"
    )


def _has_rows(folder: Path) -> bool:
    """Whether it has .npy files, or others whose folder is taken."""
    return any(path.suffix in ROWS and not is_stray(path) for path in folder.iterdir())
