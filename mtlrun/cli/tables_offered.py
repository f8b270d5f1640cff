"""The published tables that can be reproduced: what each needs, how long it takes here, what exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from string import ascii_lowercase
from textwrap import shorten

from rich.console import Console
from rich.text import Text

from mtlrun.cli.reproduction import Wanted, wanted
from mtlrun.cli.timing import hours
from mtlrun.lines import printable
from mtlrun.published.library import published_table, table_names
from mtlrun.reporting.grid import GridCell, GridColumn
from mtlrun.reporting.terminal import fitting_tables
from mtlrun.reporting.text import duration
from mtlrun.runs.reader import find_runs

_WIDE = 120
_LONGEST_NEED = 150


def offered(folders: Sequence[str]) -> None:
    """Print a line for each table, then what some are waiting for, once for all of the same data."""
    screen = Console(highlight=False)
    requests = [wanted(published_table(name), (), None, (), quick=False) for name in table_names()]
    print("Timing a few steps where data are there: a minute the first time ...", flush=True)
    found = _full_times(requests)
    columns = _columns(requests, found, _existing(folders))
    if screen.width < _WIDE:
        del columns[1]  # the titles
    for drawn in fitting_tables(columns, screen):
        screen.print(drawn)
    waiting = _needs(found)
    for need, letter in waiting.items():
        screen.print(Text(printable(f"({letter}) {_first_part(need)}")))
    if waiting:
        screen.print(Text("mtlrun reproduce PAPER/NAME says where its data are from."))
    screen.print(Text("* chooses its epoch by test rows. Then: mtlrun reproduce PAPER/NAME [--quick]"))


def _columns(
    requests: Sequence[Wanted], found: Sequence[tuple[float | None, str]], existing: Counter[str]
) -> list[GridColumn]:
    names = [f"{request.table.name}{'*' if request.table.chooses_by_test else ''}" for request in requests]
    letters = _needs(found)
    times = [f"no data ({letters[needs]})" if total is None else duration(3600 * total) for total, needs in found]
    return [
        _column("table", names, "setting"),
        _column("title", [_short(request.table.title) for request in requests], "setting"),
        _column("methods", [str(len(request.methods)) for request in requests], "count"),
        _column("runs", [str(request.count) for request in requests], "count"),
        _column("time here", times, "cost"),
        _column("exist", [str(existing[request.table.experiment]) for request in requests], "count"),
    ]


def _column(heading: str, texts: Sequence[str], kind: str) -> GridColumn:
    return GridColumn(heading, "", kind, tuple(map(GridCell, texts)))  # type: ignore[arg-type]


def _short(title: str) -> str:
    return title if len(title) <= 48 else f"{title[:47]}…"


def _full_times(requests: Sequence[Wanted]) -> list[tuple[float | None, str]]:
    """Of all runs of each; see `mtlrun.cli.timing.hours`."""
    found = hours([(request, request.methods) for request in requests])
    repeats = [request.seeds * len(request.cases) for request in requests]
    return [(None if total is None else total * many, needs) for (total, needs), many in zip(found, repeats)]


def _existing(folders: Sequence[str]) -> Counter[str]:
    """Finished runs by the experiment that they were started with."""
    runs = [run for folder in folders for run in find_runs(folder)]
    return Counter(str(run.choices.get("experiment")) for run in runs if run.status == "finished")


def _needs(found: Sequence[tuple[float | None, str]]) -> dict[str, str]:
    """What is missing -> the letter that stands for it in the table."""
    return dict(zip(dict.fromkeys(needs for _, needs in found if needs), ascii_lowercase))


def _first_part(need: str) -> str:
    """What is missing, without where it may be had."""
    return shorten(need.partition(": ")[0].partition("; ")[0], _LONGEST_NEED, placeholder=" ...")
