"""`mtlrun watch PATH...`: the table of the report while the runs go on, read from their files alone."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console, Group
from rich.live import Live

from mtlrun.cli.usages import usage
from mtlrun.reporting.make import report_on
from mtlrun.reporting.terminal import fitting_tables, show_report
from mtlrun.reporting.watching import RunWatcher, Snapshot, tables

_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    """Show the runs until all have ended, then their report; 1 if one of them did not finish."""
    if not arguments:
        print(usage("watch"))
        return 2
    return watch(arguments)


def watch(paths: list[str], seconds: float = _SECONDS) -> int:
    """The same with another pause between two looks."""
    screen = Console(highlight=False)
    looks = _looks(RunWatcher(paths), seconds)
    redraws = screen.is_terminal and not screen.is_dumb_terminal
    last = _redraw(looks, screen) if redraws else _print_changes(looks, screen)
    show_report(report_on(last.entries), screen)
    return int(any(entry.status != "finished" for entry in last.entries))


def _looks(runs: RunWatcher, seconds: float) -> Iterator[Snapshot]:
    """A look now and then; the last one has all runs ended."""
    while not (look := runs.look()).ended:
        yield look
        time.sleep(seconds)
    yield look


def _redraw(looks: Iterator[Snapshot], screen: Console) -> Snapshot:
    with Live(console=screen, auto_refresh=False, transient=True, vertical_overflow="ellipsis") as live:
        for look in looks:
            live.update(_drawn(look, screen), refresh=True)
    return look


def _print_changes(looks: Iterator[Snapshot], screen: Console) -> Snapshot:
    before: object = None
    for look in looks:
        if look.state != before and not look.ended:
            screen.print(_drawn(look, screen))
        before = look.state
    return look


def _drawn(look: Snapshot, screen: Console) -> Group:
    shown = [table for columns in tables(look) for table in fitting_tables(columns, screen)]
    jobs = "1 job has" if look.waiting == 1 else f"{look.waiting} jobs have"
    return Group(*shown, *([f"{jobs} not started yet."] if look.waiting else []))
