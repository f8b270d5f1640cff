"""Files with the labels of one picture each, which have the picture's name with another ending."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mtlrun.data.readers.folders import is_stray
from mtlrun.errors import DataError


def label_files(folder: Path, ending: str, others: Collection[str] = ()) -> dict[str, Path]:
    """The files in a folder and below it, by their path from there without its ending.

    Args:
        folder: to look in.
        ending: of the files, in small letters.
        others: names of files that have the ending and are none.

    Raises:
        DataError: if there is none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ending and path.name not in others)
    kept = [path for path in found if not any(map(is_stray, (path, *path.relative_to(folder).parents[:-1])))]
    if not kept:
        raise DataError(f"no *{ending} in {folder}")
    return {str(path.relative_to(folder).with_suffix("").as_posix()): path for path in kept}
