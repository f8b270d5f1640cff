"""Arrays kept on disk, so that what takes long to make is made once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlrun.atomic import complete_file

log = logging.getLogger(__name__)

Array = NDArray[Any]
Arrays = dict[str, Array]


def kept(path: Path | None, make: Callable[[], Arrays], fits: Callable[[Arrays], bool]) -> Arrays:
    """What `make` gives, from disk if it was made before.

    A file that is damaged, or whose arrays do not fit, is made again, with a warning. A folder that cannot be written
    costs time, but is no error. A file appears under its name only when it is complete, so runs may start together.

    Args:
        path: of the .npz file; None for none.
        make: makes the arrays.
        fits: whether arrays from a file are those that are wanted.
    """
    arrays = None if path is None else _read(path, fits)
    if arrays is not None:
        return arrays
    arrays = make()
    if path is not None:
        _write(path, arrays)
    return arrays


def file_name(kind: str, key: dict[str, Any]) -> str:
    """The name of a file for everything that its content depends on."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return f"{kind}-{digest[:20]}.npz"


def cache_folder(named: str | None, room: str) -> Path:
    """A folder for what takes long to make: below the one that is named, that MTLRUN_DATA names, or ~/.cache/mtlrun."""
    return Path(named or os.environ.get("MTLRUN_DATA") or "~/.cache/mtlrun").expanduser() / room


@cache
def code_version(package: str) -> str:
    """A digest of a package's code, for keys: after any change to it, older files are not used."""
    sources = sorted(files(package).iterdir(), key=lambda entry: entry.name)
    code = b"".join(entry.read_bytes() for entry in sources if entry.name.endswith(".py"))
    return hashlib.sha256(code).hexdigest()[:16]


def _read(path: Path, fits: Callable[[Arrays], bool]) -> Arrays | None:
    """The arrays of a file; None if there is no file, or none that can be used."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as problem:
        log.warning("cache file %s may not be read (%s): making it again", path, problem.strerror)
        return None
    except Exception as problem:  # a header is read as Python and may claim 16 TB: there is no list of what can come
        log.warning("cache file %s is damaged (%s: %s): making it again", path, type(problem).__name__, problem)
        return None
    if fits(arrays):
        return arrays
    log.warning("cache file %s holds other arrays than expected: making it again", path)
    return None


def _write(path: Path, arrays: Arrays) -> None:
    """Write a complete file or none."""
    try:
        with complete_file(path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except OSError as problem:
        log.info("%s could not be kept for the next run: %s", path.name, problem)
