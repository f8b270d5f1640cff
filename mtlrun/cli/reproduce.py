"""`mtlrun reproduce [PAPER/NAME ...] ...`: train what published tables need, and show our numbers beside theirs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mtlrun.cli.config_dir import search_path, split_config_dir
from mtlrun.cli.folders import RunFolders
from mtlrun.cli.missing import Missing, missing_jobs, train_missing
from mtlrun.cli.reproduction import TableJob, Wanted, jobs_of, methods_by_table, runs_there, wanted
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
from mtlrun.reporting.text import duration, listed

_LONG_HOURS = 1.0


def main(arguments: list[str]) -> int:
    """Show the tables, or reproduce some; return the exit code: 1 if a run failed."""
    config_dir, rest = split_config_dir(arguments)
    options, where = _parser().parse_intermixed_args(rest), search_path(config_dir)
    folders = _folders(options.runs)
    words = [word for word in options.words if "=" in word or word.startswith("~")]
    names = [*dict.fromkeys(word for word in options.words if word not in words)]
    if not names:
        offered(folders)
        return 0
    hydra_words = [word for word in words if word.lstrip("+~").startswith(("hydra.", "hydra/"))]
    settings = [word for word in words if word not in hydra_words]
    tables = [published_table(name) for name in names]
    methods = methods_by_table(tables, options.methods)
    requests = [wanted(table, methods[table.name], options.seeds, settings, options.quick, where) for table in tables]
    return _reproduce(requests, options, folders, [*where, *hydra_words])


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="mtlrun reproduce", add_help=False, allow_abbrev=False, epilog="see mtlrun help reproduce"
    )
    parser.add_argument("--methods", type=_names, default=[])
    parser.add_argument("--seeds", type=_count)
    parser.add_argument("--runs", type=_names)
    for flag in ("--quick", "--list", "--yes"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("words", nargs="*")
    return parser


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not names:
        raise argparse.ArgumentTypeError(f"must name at least one, found '{text}'")
    return names


def _folders(named: Sequence[str] | None) -> Sequence[str]:
    """Where runs are looked for; raises ConfigError for a folder that was named and is not there."""
    absent = next((name for name in named or () if not Path(name).is_dir()), None)
    if absent is not None:
        raise ConfigError(f"--runs {absent}: no such folder")
    return named or ["outputs"]


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, found {text}")
    return int(text)


def _reproduce(
    requests: Sequence[Wanted], options: argparse.Namespace, folders: Sequence[str], hydra_words: Sequence[str]
) -> int:
    jobs = {request.table.name: [*jobs_of(request)] for request in requests}
    missing, going_on = missing_jobs(requests, jobs, folders)
    count = sum(map(len, jobs.values()))
    code = 0
    if going_on:
        print(f"{len(going_on)} of {count} runs are being trained already: {listed(going_on)}", flush=True)
    if missing and options.list:
        _list([one.job for one in missing], count)
    elif missing:
        _check_time(missing, options.yes)
        print(f"{len(missing)} of {count} runs of {', '.join(jobs)} are missing: training them", flush=True)
        code = train_missing(missing, hydra_words)
    shown = 0
    for request in requests:
        known = [entry for entry in runs_there([*folders, *RunFolders.sweeps], request.by) if entry.complete]
        done = [(job, entry) for job in jobs[request.table.name] if (entry := job.found(known))]
        show_reproduction(request, done)
        shown += len(done)
    return 0 if code == 1 and shown == count else code  # a sweep that went on may have jobs that nobody asked for


def show_reproduction(request: Wanted, done: Sequence[tuple[TableJob, Entry]]) -> None:
    """The table of the runs that there are, and the lines below it."""
    table, screen = request.table, Console(highlight=False)
    rows = [
        reproduced_row(
            table,
            method,
            [entry for job, entry in done if job.method is method],
            [line for job, _ in done if job.method is method for line in job.differs],
        )
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


def _check_time(missing: Sequence[Missing], agreed: bool) -> None:
    """Say how long the missing runs take, and refuse what takes long unless that was asked for.

    Raises:
        ConfigError: for what takes more than an hour, and for data that is not there.
    """
    requests = {one.request.table.name: one.request for one in missing}
    methods = {name: [one.job.method for one in missing if one.request.table.name == name] for name in requests}
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
