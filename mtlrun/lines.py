"""Lines for a terminal: errors on one line, paths as the user would type them. Imports nothing of ours."""

from __future__ import annotations

from pathlib import Path


def one_line(error: object) -> str:
    """The text of an error with every run of white space as one blank."""
    return " ".join(str(error).split())


def path_from_here(path: Path) -> str:
    """The path as the user would type it from the current folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
