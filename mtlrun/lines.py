"""Lines for a terminal: errors on one line, paths as the user would type them. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

RUN_LOG_ONLY = {"run_log_only": True}
"""`extra` of a log record that a terminal is shown in another form, such as the bar of a training."""


def printable(text: str) -> str:
    """The text with what a terminal would obey, not show, as Python writes it: \\x1b for an escape.

    Names of files and arrays come from others, and could set the window's title or hide what follows. Line ends and
    tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in "\n\t" else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def one_line(error: object) -> str:
    """The text of an error with every run of white space as one blank, and nothing that a terminal would obey."""
    return printable(" ".join(str(error).split()))


def reason(error: Exception) -> str:
    """What another package says of its error, on one line of at most 300 letters; its class where it says nothing."""
    return one_line(error)[:300] or type(error).__name__


def shortened(words: Sequence[str], most: int = 8) -> str:
    """The first words of a list, and how many more there are."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more:,} more" if more > 0 else "")


def path_from_here(path: Path) -> str:
    """The path as the user would type it from the current folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
