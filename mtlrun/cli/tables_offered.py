"""The published tables that can be reproduced: what each needs, how long it takes here, what exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

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


def offered(folders: Sequence[str]) -> None:
    """Print a line for each table, then what the data of some are waiting for."""
    screen = Console(highlight=False)
    requests = [wanted(published_table(name), (), None, (), quick=False) for name in table_names()]
    print("Timing a few steps where data are there: a minute the first time ...", flush=True)
    found = _full_times(requests)
    columns = _columns(requests, found, _existing(folders))
    if screen.width < _WIDE:
        del columns[1]  # the titles
    for drawn in fitting_tables(columns, screen):
        screen.print(drawn)
    for need, names in _needs(requests, found).items():
        screen.print(Text(printable(f"{', '.join(names)}: {need}")))
    screen.print(Text("* chooses its epoch by test rows. Then: mtlrun reproduce PAPER/NAME [--quick]"))


def _columns(
    requests: Sequence[Wanted], found: Sequence[tuple[float | None, str]], existing: Counter[str]
) -> list[GridColumn]:
    names = [f"{request.table.name}{'*' if request.table.chooses_by_test else ''}" for request in requests]
    times = ["no data" if total is None else duration(3600 * total) for total, _ in found]
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


def _needs(requests: Sequence[Wanted], found: Sequence[tuple[float | None, str]]) -> dict[str, list[str]]:
    """What is missing -> the tables that wait for it."""
    waiting: dict[str, list[str]] = {}
    for request, (_, needs) in zip(requests, found):
        if needs:
            waiting.setdefault(needs, []).append(request.table.name)
    return waiting
