"""The tables of QM9 as arrays on disk: reading the text takes half a minute, the arrays a moment."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mtlrun.data.array_cache import Arrays, code_version, file_name, kept
from mtlrun.data.readers.molecules.tables import MOST_ATOMS, read_tables
from mtlrun.data.readers.molecules.targets import TARGETS

log = logging.getLogger(__name__)

ROW = {"atoms": (MOST_ATOMS, 4), "targets": (len(TARGETS),)}
"""Shape of one row of each array."""


def cached(folder: Path | None, tables: Sequence[Path]) -> Arrays:
    """What `read_tables` gives, from disk if these tables, told apart by size and time of change, were read before.

    Args:
        folder: of the cache; None for none.
        tables: the files.
    """
    states = [table.stat() for table in tables]
    key = {
        "code": code_version("mtlrun.data.readers.molecules"),
        "tables": [(state.st_size, state.st_mtime_ns) for state in states],
    }
    path = None if folder is None else folder / file_name("tables", key)

    def read() -> Arrays:
        log.info("reading the tables of QM9%s", "" if path is None else f", which are then kept in {path}")
        return read_tables(tables)

    return kept(path, read, _fits)


def _fits(arrays: Arrays) -> bool:
    if arrays.keys() != ROW.keys():
        return False
    count = len(arrays["atoms"])
    return all(array.shape == (count, *ROW[name]) and array.dtype == np.float32 for name, array in arrays.items())
