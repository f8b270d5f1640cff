"""What a reproduction lacks, and its training: stopped sweeps go on in their own folders, all else is a new sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mtlrun.cli.listed import train_listed
from mtlrun.cli.reproduction import TableJob, Wanted, runs_there
from mtlrun.cli.rerun import rerun_jobs
from mtlrun.cli.sweep import Job
from mtlrun.lines import path_from_here
from mtlrun.reporting.entries import Entry
from mtlrun.runs.reader import Run
from mtlrun.runs.sweeps import listed_jobs, sweep_of

_STOPPED = ("interrupted", "lost")
"""Statuses of runs that can go on where they stopped."""


@dataclass(frozen=True)
class Missing:
    """A job without a finished run. stopped: the run of it that was begun, if there is one."""

    request: Wanted
    job: TableJob
    stopped: Entry | None = None

    @property
    def sweep(self) -> Path | None:
        """The sweep in which it was stopped."""
        return None if self.stopped is None else sweep_of(Path(self.stopped.folder))


def missing_jobs(
    requests: Sequence[Wanted], jobs: Mapping[str, Sequence[TableJob]], folders: Sequence[str]
) -> tuple[list[Missing], list[str]]:
    """(the jobs of which no run below the folders has finished or goes on, folders of the runs that go on).

    What two tables have in common is there once.
    """
    found: list[Missing] = []
    going_on: list[str] = []
    for request in requests:
        known = runs_there(folders, request.by)
        finished = [entry for entry in known if entry.complete]
        running = [entry for entry in known if entry.status == "running"]
        stopped = [entry for entry in known if entry.status in _STOPPED]
        for job in jobs[request.table.name]:
            if job.found(finished) is not None or any(job.same_as(other.job) for other in found):
                continue
            active = job.found(running)
            if active is None:
                found.append(Missing(request, job, job.found(stopped)))
            elif active.folder not in going_on:
                going_on.append(active.folder)
    return found, going_on


def train_missing(missing: Sequence[Missing], hydra_words: Sequence[str]) -> int:
    """Train each of them; return the exit code: 1 if a job of these sweeps has not finished, more if all was stopped.

    In a sweep in which one was stopped, those that failed or never started are trained too.
    """
    left, code = [*missing], 0
    for sweep in sorted({one.sweep for one in missing if one.sweep is not None}):
        there = listed_jobs(sweep)
        due = [one for one in left if one.sweep == sweep or one.job.words in there]
        print(f"{len(due)} of them go on in {path_from_here(sweep)}", flush=True)
        code = max(code, rerun_jobs(sweep, (), hydra_words, partial(_is_due, due=due), show=False))
        if code > 1:
            return code
        left = [one for one in left if one not in due]
    return max(code, train_listed([one.job.words for one in left], hydra_words)) if left else code


def _is_due(job: Job, due: Sequence[Missing]) -> bool:
    folder = job.folder.resolve()
    named = any(one.stopped is not None and Path(one.stopped.folder).resolve() == folder for one in due)
    listed = any(one.job.words == tuple(job.overrides) for one in due)
    return (named or listed) and Run(job.folder).status != "finished"
