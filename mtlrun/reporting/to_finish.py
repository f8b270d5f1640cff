"""The commands that finish runs which were stopped or killed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtlrun.commands import command_line
from mtlrun.lines import path_from_here
from mtlrun.reporting.entries import Entry
from mtlrun.runs.sweeps import sweep_of

_STOPPED = ("interrupted", "lost")
_MOST_COMMANDS = 4


def commands_to_finish(entries: Iterable[Entry]) -> list[str]:
    """One for each run of its own, and one for each sweep, unless that goes on."""
    found: dict[str, bool] = {}
    for entry in entries:
        if entry.status in (*_STOPPED, "running"):
            command = _command(Path(entry.folder))
            found[command] = found.get(command, True) and entry.status in _STOPPED
    return [command for command, stopped in found.items() if stopped][:_MOST_COMMANDS]


def _command(folder: Path) -> str:
    sweep = sweep_of(folder)
    if sweep is None:
        return command_line("mtlrun", "resume", str(folder))
    return command_line("mtlrun", "rerun", path_from_here(sweep))
