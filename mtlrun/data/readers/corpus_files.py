"""Finding and reading the files of a text collection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mtlrun.data.readers.folders import above, step_down
from mtlrun.data.readers.plain_files import read_text
from mtlrun.errors import DataError

Numbered = list[tuple[int, str]]
"""Lines with their numbers in the file, from 1."""


def find_file(
    option: str, folder: Path, names: Sequence[str], what: str, known_by: Sequence[str] | None = None
) -> Path:
    """The first of the files `names`, which may have wildcards, that is in the folder.

    Args:
        option: of the user's that names the folder.
        folder: to look in.
        names: in the order of preference.
        what: these files are, and where to get them.
        known_by: files by which a folder further up is known as the right one; None for the same names.

    Raises:
        DataError: if the folder or all of the files are absent, or several fit one name.
    """
    path = optional_file(option, folder, names, what)
    if path is None:
        hint = above(folder, lambda inner: has_any(inner, known_by or names), f"data.{option}")
        raise DataError(f"no {' or '.join(names)} in {folder}{hint}: data.{option} takes {what}")
    return path


def has_any(folder: Path, names: Sequence[str]) -> bool:
    """Whether the folder has one of the files, whose names may have wildcards."""
    return any(path.is_file() for name in names for path in folder.glob(name))


def corpus_folder(option: str, folder: Path, names: Sequence[str]) -> Path:
    """The folder that has one of the files: the given one, else the only one up to two levels below; else the given.

    Raises:
        DataError: if several on one level have them.
    """
    return step_down(folder, lambda inner: has_any(inner, names), f"data.{option}") or folder


def optional_file(option: str, folder: Path, names: Sequence[str], what: str) -> Path | None:
    """As `find_file`, but None if the folder has none of the files."""
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: data.{option} takes {what}")
    for name in names:
        found = sorted(path for path in folder.glob(name) if path.is_file())
        if len(found) > 1:
            raise DataError(f"{folder} has {found[0].name} and {found[1].name}: data.{option} takes the folder of one")
        if found:
            return found[0]
    return None


def lines_of(path: Path) -> Numbered:
    """The lines of a file without their ends; no other character than a line feed ends one."""
    return [(number, line.rstrip("\r")) for number, line in enumerate(read_text(path).split("\n"), 1)]


def blocks_of(path: Path) -> Iterator[Numbered]:
    """The lines of a file between empty ones: the sentences of the CoNLL formats."""
    block: Numbered = []
    for number, line in lines_of(path):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block
