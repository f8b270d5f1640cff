"""`mtlrun reproduce [PAPER/NAME ...] ...`: train what published tables need, and show our numbers beside theirs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from mtlrun.cli.folders import RunFolders
from mtlrun.cli.listed import train_listed
from mtlrun.cli.reproduction import TableJob, Wanted, finished_runs, jobs_of, methods_by_table, wanted
from mtlrun.cli.tables_offered import offered
from mtlrun.cli.timing import hours
from mtlrun.cli.words import OneLineParser
from mtlrun.commands import command_line
from mtlrun.errors import ConfigError
from mtlrun.lines import printable
from mtlrun.published.library import published_table
from mtlrun.reporting.entries import Entry
from mtlrun.reporting.reproduced import reproduced_row
from mtlrun.reporting.reproduced_text import heading, notes, reproduced_columns
from mtlrun.reporting.terminal import fitting_tables
from mtlrun.reporting.text import duration

_LONG_HOURS = 1.0


def main(arguments: list[str]) -> int:
    """Show the tables, or reproduce some; return the exit code: 1 if a run failed."""
    options = _parser().parse_intermixed_args(arguments)
    names = [*dict.fromkeys(word for word in options.words if "=" not in word)]
    if not names:
        offered(options.runs)
        return 0
    words = [word for word in options.words if "=" in word]
    hydra_words = [word for word in words if word.lstrip("+~").startswith(("hydra.", "hydra/"))]
    settings = [word for word in words if word not in hydra_words]
    tables = [published_table(name) for name in names]
    methods = methods_by_table(tables, options.methods)
    requests = [wanted(table, methods[table.name], options.seeds, settings, options.quick) for table in tables]
    return _reproduce(requests, options, hydra_words)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="mtlrun reproduce", add_help=False, allow_abbrev=False, epilog="see mtlrun help reproduce"
    )
    parser.add_argument("--methods", type=_names, default=[])
    parser.add_argument("--seeds", type=_count)
    parser.add_argument("--runs", type=_names, default=["outputs"])
    for flag in ("--quick", "--list", "--yes"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("words", nargs="*")
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, found {text}")
    return int(text)


def _reproduce(requests: Sequence[Wanted], options: argparse.Namespace, hydra_words: Sequence[str]) -> int:
    jobs = {request.table.name: [*jobs_of(request)] for request in requests}
    missing = _missing(requests, jobs, options.runs)
    count = sum(map(len, jobs.values()))
    code = 0
    if missing and options.list:
        _list([job for _, job in missing], count)
    elif missing:
        _check_time(missing, options.yes)
        print(f"{len(missing)} of {count} runs of {', '.join(jobs)} are missing: training them", flush=True)
        code = train_listed([job.words for _, job in missing], hydra_words)
    for request in requests:
        known = finished_runs([*options.runs, *RunFolders.sweeps], request.by)
        show_reproduction(request, [(job, entry) for job in jobs[request.table.name] if (entry := job.found(known))])
    return code


def _missing(
    requests: Sequence[Wanted], jobs: Mapping[str, Sequence[TableJob]], folders: Sequence[str]
) -> list[tuple[Wanted, TableJob]]:
    """What no finished run is the same as; what two tables have in common once."""
    found: list[tuple[Wanted, TableJob]] = []
    for request in requests:
        known = finished_runs(folders, request.by)
        for job in jobs[request.table.name]:
            if job.found(known) is None and not any(job.same_as(other) for _, other in found):
                found.append((request, job))
    return found


def show_reproduction(request: Wanted, done: Sequence[tuple[TableJob, Entry]]) -> None:
    """The table of the runs that there are, and the lines below it."""
    table, screen = request.table, Console(highlight=False)
    rows = [
        reproduced_row(table, method, [entry for job, entry in done if job.method is method])
        for method in request.methods
    ]
    for place, line in enumerate(heading(table, request.quick)):
        screen.print(Text(printable(line), style="bold" if place == 0 else ""))
    columns = reproduced_columns(table, rows)
    for drawn in fitting_tables(columns, screen) if columns[0].cells else ():  # a table of points is empty at first
        screen.print(drawn)
    for line in notes(table, rows):
        screen.print(Text(printable(line), style="dim"))


def _list(missing: Sequence[TableJob], count: int) -> None:
    print(f"{len(missing)} of {count} runs are missing; each is one of these commands:")
    for job in missing:
        print(f"  {command_line('mtlrun', *job.words)}")


def _check_time(missing: Sequence[tuple[Wanted, TableJob]], agreed: bool) -> None:
    """Say how long the missing runs take, and refuse what takes long unless that was asked for.

    Raises:
        ConfigError: for what takes more than an hour, and for data that is not there.
    """
    requests = {request.table.name: request for request, _ in missing}
    methods = {name: [job.method for request, job in missing if request.table.name == name] for name in requests}
    total = 0.0
    for part, needs in hours([(request, methods[name]) for name, request in requests.items()]):
        if part is None:
            raise ConfigError(needs)
        total += part
    words = duration(3600 * total)
    print(f"About {words} of training in all on this machine, one run after the other.", flush=True)
    if total > _LONG_HOURS and not agreed:
        raise ConfigError(
            f"{len(missing)} runs of {', '.join(requests)} take about {words} on this machine: "
            "add --yes, or take fewer with --quick, --methods and --seeds"
        )
