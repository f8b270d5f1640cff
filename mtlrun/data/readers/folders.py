"""Folders as people have them: one level too high or too low, nested twice, with strays of other programs between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mtlrun.data.readers.image_files import SUFFIXES
from mtlrun.errors import DataError

Fits = Callable[[Path], bool]
"""Whether a folder has the files that a reader wants, or a file is one of them."""

DEPTH = 2
"""Levels that are gone down: an archive within the folder of its name within another one."""

MOST = 200
"""A folder with more folders than this holds data: nobody's archives are unpacked into so many."""

STRAYS = ("__MACOSX", "__pycache__", "@eaDir", "lost+found")
"""What systems and editors leave behind, beside names that begin with a dot."""


def is_stray(path: Path) -> bool:
    """Whether this is hidden, such as .ipynb_checkpoints and ._000001.jpg, or left by a system: no data."""
    return path.name.startswith(".") or path.name in STRAYS


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, in alphabetical order, without strays; none if it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not is_stray(path))
    except OSError:
        return []


def is_picture(path: Path) -> bool:
    """Whether a file's name is that of a picture."""
    return path.suffix.lower() in SUFFIXES and not is_stray(path)


def pictures_below(folder: Path) -> list[Path]:
    """Picture files in a folder and those below it, in alphabetical order, without what lies in strays."""
    return files_below(folder, is_picture)


def files_below(folder: Path, fits: Fits) -> list[Path]:
    """Files that fit, in a folder and those below it, in alphabetical order, without strays and what lies in them."""
    found = (path for path in folder.rglob("*") if fits(path) and not is_stray(path))
    return sorted(path for path in found if not any(map(is_stray, path.relative_to(folder).parents[:-1])))


def class_folders(folder: Path) -> list[Path]:
    """The folders in a folder that have a picture of their own: one for each class."""
    return [path for path in folders_in(folder) if any(map(is_picture, path.iterdir()))]


def step_down(root: Path, fits: Fits, option: str = "data.root") -> Path | None:
    """The folder that fits: the root itself, else the only one on the first level below it that has one.

    Args:
        root: that the user names.
        fits: whether a folder has the files.
        option: that names the root, for the message.

    Returns:
        The folder; None if there is none up to two levels below.

    Raises:
        DataError: if several on one level fit.
    """
    level = [root]
    for _ in range(DEPTH + 1):
        found = [folder for folder in level if fits(folder)]
        if len(found) > 1:
            raise DataError(
                f"{option}={root} has the same files in {found[0]} and in {found[1]}: set {option} to one of them"
            )
        if found:
            return found[0]
        inner = [folders_in(folder) for folder in level]
        level = [path for paths in inner if len(paths) <= MOST for path in paths]
    return None


def above(root: Path, fits: Fits, option: str = "data.root") -> str:
    """Words for a message if the user went too far down: the folder above that fits; '' if none does."""
    parents = [*root.absolute().parents][:DEPTH]
    found = next((parent for parent in parents if fits(parent)), None)
    return "" if found is None else f" (but in {found}: set {option}={found})"
