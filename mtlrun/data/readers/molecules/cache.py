"""The tables of QM9 as arrays on disk: reading the text takes half a minute, the arrays a moment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mtlrun.data.array_cache import Arrays, code_version, file_name, kept
from mtlrun.data.readers.molecules.graphs import GRAPH, read_graphs
from mtlrun.data.readers.molecules.tables import MOST_ATOMS, read_tables
from mtlrun.data.readers.molecules.targets import TARGETS

log = logging.getLogger(__name__)

Row = dict[str, tuple[tuple[int, ...], type]]
"""Shape of one row of each array, and its type."""
ROW: Row = {"atoms": ((MOST_ATOMS, 4), np.float32), "targets": ((len(TARGETS),), np.float32)}
GRAPHS: Row = {"graphs": (GRAPH, np.uint8)}


def cached(folder: Path | None, tables: Sequence[Path]) -> Arrays:
    """What `read_tables` gives, from disk if these tables, told apart by size and time of change, were read before.

    Args:
        folder: of the cache; None for none.
        tables: the files.
    """
    return _kept(folder, "tables", tables, lambda: read_tables(tables), ROW)


def cached_graphs(folder: Path | None, tables: Sequence[Path], atoms: np.ndarray) -> np.ndarray:
    """The same of `read_graphs`; `atoms` are those of the tables."""
    return _kept(folder, "bonds", tables, lambda: {"graphs": read_graphs(tables, atoms)}, GRAPHS)["graphs"]


def _kept(folder: Path | None, what: str, tables: Sequence[Path], make: Callable[[], Arrays], row: Row) -> Arrays:
    states = [table.stat() for table in tables]
    key = {
        "code": code_version("mtlrun.data.readers.molecules"),
        "tables": [(state.st_size, state.st_mtime_ns) for state in states],
    }
    path = None if folder is None else folder / file_name(what, key)

    def read() -> Arrays:
        log.info("reading the %s of QM9%s", what, "" if path is None else f", which are then kept in {path}")
        return make()

    return kept(path, read, lambda arrays: _fits(arrays, row))


def _fits(arrays: Arrays, row: Row) -> bool:
    if arrays.keys() != row.keys():
        return False
    count = len(next(iter(arrays.values())))
    return all(
        arrays[name].shape == (count, *shape) and arrays[name].dtype == kind for name, (shape, kind) in row.items()
    )
