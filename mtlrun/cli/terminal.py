"""What the command line prints: one line for a mistake, tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from mtlrun import torchrun
from mtlrun.lines import one_line, printable

_SPEAK_SECONDS = 3.0


def complain(error: object, job: str = "") -> None:
    """One line on stderr; `job` names the job of a sweep. Of torchrun's processes only the first one speaks."""
    if torchrun.rank() > 0:
        time.sleep(_SPEAK_SECONDS)  # torchrun ends all as soon as one has ended: let the first one speak before that
    else:
        print(f"mtlrun: error: {job}{one_line(error)}", file=sys.stderr, flush=True)


def remark(line: str) -> None:
    """One line on stderr of what is no mistake, and may not be what was meant."""
    print(f"mtlrun: {one_line(line)}", file=sys.stderr, flush=True)


def show(table: Any) -> None:
    """Print a rich table; brackets and control characters in it are shown, not obeyed."""
    from rich.console import Console  # here, since most commands print no table

    Console(markup=False, emoji=False).print(_Printable(table))


class _Printable:
    """What a rich table shows, with control characters escaped."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        for segment in console.render(self._table, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
