"""Runs that go on: the table of the report with a column that says how far each configuration is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError
from mtlrun.reporting.entries import SILENT_SECONDS, Entry, read_entry, silence, status_of
from mtlrun.reporting.grid import GridCell, GridColumn, grid
from mtlrun.reporting.make import folders_of, report_on
from mtlrun.reporting.model import Section
from mtlrun.reporting.pooling import RunPool, varying
from mtlrun.reporting.settings import effective_config, fingerprint, short_key, spelled
from mtlrun.runs.progress import RunProgress, read_progress
from mtlrun.runs.reader import Run, find_runs
from mtlrun.runs.sweeps import job_words, knows_its_jobs, sweep_record

_ENDED = ("finished", "failed", "interrupted", "lost", "silent")

_Group = Sequence[Entry]


@dataclass(frozen=True)
class Snapshot:
    """The runs as they were at one moment. waiting: jobs of a sweep that have no folder yet."""

    entries: Sequence[Entry]
    progress: Mapping[str, RunProgress]
    waiting: int

    @property
    def ended(self) -> bool:
        """Whether nothing goes on, and nothing is to come."""
        return not self.waiting and all(entry.status in _ENDED for entry in self.entries)

    @property
    def state(self) -> object:
        """What changes when something has happened; the time left does not count."""
        done = {folder: (found.done, found.total) for folder, found in self.progress.items()}
        return [(entry.folder, entry.status, done.get(entry.folder)) for entry in self.entries], self.waiting


@dataclass
class RunWatcher:
    """Reads the runs below some paths again and again; a finished run is read once."""

    paths: Sequence[str]
    _finished: dict[str, Entry] = field(default_factory=dict)

    def look(self) -> Snapshot:
        """The runs as they are now.

        Raises:
            ConfigError: for a path that holds neither runs nor a sweep that is to have some.
        """
        folders = [folder for path in self.paths for folder in folders_of(str(path))]
        runs = {run.path.resolve(): run for folder in folders for run in _runs(folder)}
        entries = [self._entry(run) for run in runs.values()]
        going = [run for run, entry in zip(runs.values(), entries) if entry.status == "running"]
        progress = {str(run.path): read_progress(run, effective_config(run).get("trainer") or {}) for run in going}
        sweeps = {parent.resolve() for parent in (*folders, *(run.path.parent for run in runs.values()))}
        return Snapshot(entries, progress, sum(map(_missing_jobs, sweeps)))

    def _entry(self, run: Run) -> Entry:
        known = self._finished.get(str(run.path))
        if known and run.status == "finished":
            return known
        entry = read_entry(run)
        if entry.complete:
            self._finished[entry.folder] = entry
        return entry


def tables(look: Snapshot) -> list[list[GridColumn]]:
    """A table for each task set; configurations without a finished run stand at the end of the only one, or apart."""
    groups = _groups(look.entries)
    keys = varying([RunPool((group[0],)) for group in groups])
    sections = report_on(look.entries).sections
    placed = [_places(section, groups) for section in sections]
    unplaced = [place for place in range(len(groups)) if not any(place in found for found in placed)]
    shown = [
        _table(section, found, unplaced * (len(sections) == 1), groups, keys, look)
        for section, found in zip(sections, placed)
    ]
    if unplaced and len(sections) != 1:
        own = [groups[place] for place in unplaced]
        shown.append([*_settings(own, keys), _progress(own, look)])
    return shown


def _table(
    section: Section,
    found: Mapping[int, int],
    unplaced: Sequence[int],
    groups: Sequence[_Group],
    keys: Sequence[str],
    look: Snapshot,
) -> list[GridColumn]:
    """found: group -> row of the section."""
    places = sorted([*found, *unplaced])
    own = [groups[place] for place in places]
    scores = [column for column in grid(section, "delta_m") if column.kind != "setting"]
    cells = [
        GridColumn(
            column.heading,
            column.unit,
            column.kind,
            tuple(column.cells[found[place]] if place in found else GridCell("-") for place in places),
        )
        for column in scores
    ]
    return [*_settings(own, keys), *cells, _progress(own, look)]


def _groups(entries: Sequence[Entry]) -> list[_Group]:
    """Runs that are alike but for the seed."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(fingerprint(entry.settings), []).append(entry)
    return [*found.values()]


def _places(section: Section, groups: Sequence[_Group]) -> dict[int, int]:
    rows = {folder: place for place, row in enumerate(section.rows) for folder in row.folders}
    return {place: rows[entry.folder] for place, group in enumerate(groups) for entry in group if entry.folder in rows}


def _settings(groups: Sequence[_Group], keys: Sequence[str]) -> Iterator[GridColumn]:
    for key in keys:
        values = [group[0].settings for group in groups]
        cells = tuple(GridCell(spelled(chosen[key]) if key in chosen else "-") for chosen in values)
        yield GridColumn(short_key(key), "", "setting", cells)


def _progress(groups: Sequence[_Group], look: Snapshot) -> GridColumn:
    return GridColumn("progress", "", "cost", tuple(GridCell(_words(group, look.progress)) for group in groups))


def _words(group: _Group, progress: Mapping[str, RunProgress]) -> str:
    """Such as '2 of 3 runs; 12/20, 0:40 left': what ended, and the run that will take longest."""
    finished = sum(entry.status == "finished" for entry in group)
    if finished == len(group):
        return "finished"
    going = [progress[entry.folder] for entry in group if entry.folder in progress]
    parts = [f"{finished} of {len(group)} runs"] if len(group) > 1 else []
    if going:
        parts.append(max(going, key=lambda found: found.seconds_left or 0.0).words())
    others = [entry.status for entry in group if entry.status not in ("finished", "running")]
    parts += [f"{others.count(status)} {status}" if len(group) > 1 else status for status in dict.fromkeys(others)]
    return "; ".join(parts)


def _runs(folder: Path) -> list[Run]:
    found = find_runs(folder)
    if not found and sweep_record(folder) is None:
        raise ConfigError(f"no run in '{folder}': name run folders, sweep folders, or folders above them")
    return found


def _missing_jobs(folder: Path) -> int:
    """Jobs of a sweep that have not started; 0 where none is to come.

    That is: its report is written, its sweeper chooses as it goes, or its process is gone.
    """
    hydra = sweep_record(folder)
    if hydra is None or (folder / "report.json").is_file() or not knows_its_jobs(hydra):
        return 0
    words = [str(word) for word in (hydra.get("overrides") or {}).get("task") or []]
    runs = find_runs(folder)
    missing = max(0, _count_jobs(hydra["sweeper"], words) - len(runs))
    return missing if missing and _goes_on(folder, runs) else 0


def _goes_on(folder: Path, runs: Sequence[Run]) -> bool:
    """Whether a run of the sweep lives, or anything was written lately: between two jobs none lives."""
    if any(status_of(run)[0] == "running" for run in runs):
        return True
    return min(map(silence, (folder, *(run.path for run in runs)))) < SILENT_SECONDS


def _count_jobs(sweeper: Mapping[str, Any], words: Sequence[str]) -> int:
    from hydra.errors import HydraException  # here: it is slow to load

    try:
        return len(job_words(sweeper, words))
    except HydraException:
        return 0  # such a sweep was refused
