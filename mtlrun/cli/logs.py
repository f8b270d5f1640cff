"""Where log lines go: the terminal, and run.log in the run's folder."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from mtlrun.lines import printable

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class PrintableFormatter(logging.Formatter):
    """Shows what a terminal would obey: names in a message come from files of others."""

    def format(self, record: logging.LogRecord) -> str:
        """The record in words."""
        return printable(super().format(record))


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever `sys.stdout` is when a line comes, so that a live progress bar can step aside."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.setFormatter(PrintableFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, unless it is meant for run.log alone."""
        if getattr(record, "run_log_only", False):
            return
        self.stream = sys.stdout
        super().emit(record)


class FileHandler(logging.FileHandler):
    """run.log. A full disk is told by whatever matters more, and not once for each line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Leave the line out if the file has to be opened and its folder is gone, as of a job that is over."""
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out if the file can take no more."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def close(self) -> None:
        """Also where what is left cannot be written."""
        with suppress(OSError):
            super().close()


_ONE_AT_A_TIME = threading.Lock()
_before: list[int] = []
"""The level that each of those which go on now has found."""


@contextmanager
def logging_to(file: Path | None, console: bool) -> Iterator[None]:
    """Send log lines to a file (appended to) and to the terminal; afterwards logging is as it was before.

    Several may overlap, in threads: the first sets the level of the package's lines, and the last to end sets it back.
    """
    handlers: list[logging.Handler] = [ConsoleHandler()] if console else []
    if file is not None:
        handlers.append(FileHandler(file, encoding="utf-8"))
        handlers[-1].setFormatter(PrintableFormatter(FORMAT))
    root, ours = logging.getLogger(), logging.getLogger("mtlrun")
    with _ONE_AT_A_TIME:
        _before.append(ours.level)
        ours.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        with _ONE_AT_A_TIME:
            level = _before[0]
            _before.pop()
            if not _before:
                ours.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
