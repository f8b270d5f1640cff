"""One run as plain values: what it was trained with, how it ended, what it scored."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from mtlrun.reporting.cautions import cautions
from mtlrun.reporting.settings import Settings, data_from_python, effective_overrides, settings
from mtlrun.runs.overall import overall
from mtlrun.runs.reader import Run

By = Literal["best", "last", "mean_of_last"]
BY: tuple[By, ...] = ("best", "last", "mean_of_last")
BY_WORDS = {
    "best": "at the best validation epoch",
    "last": "at the last epoch",
    "mean_of_last": "mean over the last epochs",
}
SILENT_SECONDS = 3600.0


@dataclass(frozen=True)
class TaskScore:
    """What one run scored in one task.

    `directions` says of each metric that has a direction whether higher is better; the judging one is always there.
    `counted` names those that Delta-p averages; none where a file does not say.
    `rows` counts labelled rows per split where that was written down. `assumed` names metrics of other tools whose
    direction was taken from their names.
    """

    metric: str
    higher: bool
    test: Mapping[str, float]
    val: Mapping[str, float] = field(default_factory=dict)
    directions: Mapping[str, bool] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()

    @property
    def judged(self) -> float | None:
        """The judging metric on test rows."""
        return self.test.get(self.metric)


@dataclass(frozen=True)
class Entry:
    """One run.

    status: finished, running, silent (on another machine, nothing written for an hour), failed, interrupted, lost
    (its process died) or not started.
    from_python: whether its data were handed over in Python, so that no command can name them.
    """

    folder: str
    settings: Settings
    seed: int | None
    status: str
    tasks: Mapping[str, TaskScore] = field(default_factory=dict)
    error: str | None = None
    overrides: tuple[str, ...] = ()
    version: str | None = None
    end: str = ""
    seconds: float | None = None
    memory: float | None = None
    validation: float | None = None
    doubts: tuple[str, ...] = ()
    config_dir: str | None = None
    from_python: bool = False

    @property
    def complete(self) -> bool:
        """Whether it may be averaged with others: it ended, and every task has a score."""
        return self.status == "finished" and bool(self.tasks)


def read_entry(run: Run, by: By = "best") -> Entry:
    """Read a run's folder; files that are absent or torn count as empty."""
    status, info = status_of(run)
    summary, chosen = run.summary, settings(run)  # after it: of a run that has ended they are there
    tasks = _tasks(summary, by)
    own = by == "best" and chosen.get("trainer.reference") != "first"  # a gain over its own start compares no runs
    return Entry(
        folder=str(run.path),
        settings={key: value for key, value in chosen.items() if key != "seed"},
        seed=_integer(chosen.get("seed", info.get("seed"))),
        status=status,
        tasks=tasks,
        error=info.get("error"),
        overrides=tuple(effective_overrides(run)),
        version=_version(info),
        end=str(info.get("end") or ""),
        seconds=_number(summary.get("wall_seconds")),
        memory=_number(summary.get("peak_memory_bytes")),
        validation=_number(summary.get("best_score")) if own else validation_score(tasks.values()),
        doubts=tuple(cautions(summary, by)),
        config_dir=run.config_dir,
        from_python=data_from_python(run),
    )


def validation_score(tasks: Iterable[TaskScore]) -> float | None:
    """What epochs are chosen by: the judging validation metrics in one number, see `overall`."""
    found = ((task.val.get(task.metric), task.higher) for task in tasks)
    return overall((value, higher) for value, higher in found if value is not None)


def _tasks(summary: Mapping[str, Any], by: By) -> dict[str, TaskScore]:
    entries = summary.get("tasks") or {}
    scores = {name: _task(entry, by) for name, entry in entries.items() if isinstance(entry, dict)}
    return {name: score for name, score in scores.items() if score.judged is not None}


def _task(entry: Mapping[str, Any], by: By) -> TaskScore:
    metric, higher = str(entry.get("metric")), entry.get("higher_is_better") is not False
    moment = entry.get(by) or {}
    val = (entry.get("last") or {}) if by == "mean_of_last" else moment  # validation has no late mean
    return TaskScore(
        metric,
        higher,
        _numbers(moment.get("test")),
        _numbers(val.get("val")),
        {**(entry.get("directions") or {}), metric: higher},
        {split: int(count) for split, count in _numbers(entry.get("rows")).items()},
        counted=tuple(entry.get("counted") or ()),
    )


def status_of(run: Run) -> tuple[str, dict[str, Any]]:
    """The status as in `Entry`, and the `run.json` that it is from.

    Of a process on this machine it is known whether it lives, however long it writes nothing.
    """
    known, info = run.status_and_info()
    status = known or "not started"
    if status == "interrupted" and info.get("status") == "running":
        return "lost", info
    if status == "running" and info.get("host") != platform.node() and silence(run.path) > SILENT_SECONDS:
        return "silent", info
    return status, info


def silence(folder: Path) -> float:
    """Seconds since a file of the folder was last written."""
    times = [path.stat().st_mtime for path in folder.glob("*") if path.is_file()]
    return time.time() - max(times, default=0.0)


def _version(info: Mapping[str, Any]) -> str | None:
    """Version of the package and commit of the work tree, such as '0.1.0 a1b2c3d'; '+' where files were changed."""
    git = info.get("git") or {}
    commit = str(git.get("commit") or "")[:7]
    words = [str((info.get("versions") or {}).get("mtlrun") or ""), commit + ("+" if git.get("dirty") else "")]
    return " ".join(filter(None, words)) or None


def _numbers(values: Any) -> dict[str, float]:
    found = values.items() if isinstance(values, Mapping) else ()
    return {str(name): number for name, value in found if (number := _number(value)) is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def newest_first(entry: Entry) -> float:
    """Sort key: when the run ended."""
    try:
        return -datetime.fromisoformat(entry.end).timestamp()
    except ValueError:
        return 0.0
