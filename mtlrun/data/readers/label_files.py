"""Files with the labels of one picture each, which have the picture's name with another ending."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mtlrun.data.readers.folders import files_below
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
    found = files_below(folder, lambda path: path.suffix.lower() == ending and path.name not in others)
    if not found:
        raise DataError(f"no *{ending} in {folder}")
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}
