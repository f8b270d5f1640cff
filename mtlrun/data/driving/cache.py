"""Drawings kept on disk, so that a second run starts at once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from mtlrun.data.driving.recipe import Arrays, Recipe

log = logging.getLogger(__name__)


@cache
def drawing_version() -> str:
    """A digest of the code that draws: after any change to it, older cache files are not used."""
    sources = sorted(files("mtlrun.data.driving").iterdir(), key=lambda entry: entry.name)
    code = b"".join(entry.read_bytes() for entry in sources if entry.name.endswith(".py"))
    return hashlib.sha256(code).hexdigest()[:16]


def cached(folder: Path | None, recipe: Recipe, rows: range) -> Arrays:
    """The rows of a recipe, from disk if they were drawn before.

    A file that is damaged is drawn again, with a warning. A folder that cannot be written costs time, but
    is no error. A file appears under its name only when it is complete, so runs may start together.

    Args:
        folder: of the cache; None for none.
        recipe: draws the rows.
        rows: their indices.
    """
    path = None if folder is None else folder / _file_name(recipe, rows)
    arrays = None if path is None else _read(path, recipe, len(rows))
    if arrays is not None:
        return arrays
    log.info("drawing %d %s", len(rows), recipe.kind)
    arrays = recipe.make(rows)
    if path is not None:
        _write(path, arrays)
    return arrays


def _file_name(recipe: Recipe, rows: range) -> str:
    key = {"drawing": drawing_version(), "first": rows.start, "rows": len(rows), **recipe.options}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return f"{recipe.kind}-{digest[:20]}.npz"


def _read(path: Path, recipe: Recipe, count: int) -> Arrays | None:
    """The arrays of a file; None if there is no file, or none that can be used."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in recipe.row}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as problem:
        log.warning("cache file %s is damaged (%s): drawing it again", path, problem)
        return None
    if recipe.fits(arrays, count):
        return arrays
    log.warning("cache file %s holds other arrays than expected: drawing it again", path)
    return None


def _write(path: Path, arrays: Arrays) -> None:
    """Write a complete file or none."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".drawing-", delete=False) as file:
            temporary = Path(file.name)
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except OSError as problem:
        log.info("the drawings could not be kept for the next run: %s", problem)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
