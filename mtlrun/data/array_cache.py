"""Arrays kept on disk, so that what takes long to make is made once."""

from __future__ import annotations

import ast
import hashlib
import json
import logging
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


SAME: dict[str, str] = {
    "7e3d5f0b19e2d53b": "3980b698c6168d3e",  # drawn/road
    "9393b2a6c2b8b86f": "92357980c1fee53e",  # drawn/animals
    "e3e2fb26c594ac1b": "a9539bfa8ff39b91",  # drawn/chest
    "8243eaec847aba4a": "f2ae1db65653f607",  # readers/molecules
}
"""Digests of code that makes the very arrays of earlier code -> the version of that, whose files stay valid."""


@cache
def code_version(package: str) -> str:
    """A digest of a package's code, for keys: after any change to it but to imports, older files are not used."""
    sources = sorted(files(package).iterdir(), key=lambda entry: entry.name)
    code = "".join(_without_imports(entry.read_text()) for entry in sources if entry.name.endswith(".py"))
    digest = hashlib.sha256(code.encode()).hexdigest()[:16]
    return SAME.get(digest, digest)


def _without_imports(code: str) -> str:
    """The lines of a module that are not import statements, which change wherever a module is moved."""
    imports = [node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)]
    skipped = {line for node in imports for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return "".join(line for number, line in enumerate(code.splitlines(True), 1) if number not in skipped)


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
