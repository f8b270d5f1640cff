"""Standard output that may end before the command does: a closed pipe, a full disk, a terminal that has gone."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class SteadyStream:
    """A text stream that goes silent where the one below can take no more: a training must not end with its reader.

    What was shown is in run.log as well.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """All of the text, as far as the caller can see."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # the latter from a closed file
            self._end()
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """One after the other."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """As far as possible."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._end()

    def _end(self) -> None:
        """Lead everything to nowhere, what is still buffered and what C code writes included."""
        with suppress(OSError, ValueError):  # a stream without a descriptor of its own
            descriptor = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
            self._stream.flush()


@contextmanager
def steady_output() -> Iterator[None]:
    """Within this context a standard stream that ends does not end the command."""
    before = sys.stdout, sys.stderr
    ours = SteadyStream(sys.stdout), SteadyStream(sys.stderr)
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        for stream in ours:
            stream.flush()
        sys.stdout, sys.stderr = before


def usable_streams() -> None:
    """Where the shell has closed a standard stream (`>&-`), Python has none: give it one that leads nowhere.

    What a terminal cannot show, such as ± in ASCII, is a question mark there and no error.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115 (for good)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def leave_quietly() -> None:
    """Have the interpreter flush nothing more into a stream that takes no more."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (must stay open until the interpreter has flushed it)
