"""Runs that differ in nothing but the seed are one row; what differs otherwise is a column, and only that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mtlrun.reporting.entries import Entry, newest_first
from mtlrun.reporting.settings import fingerprint, spelled


@dataclass(frozen=True)
class RunPool:
    """Complete runs of one configuration, one for each seed, in the order of the seeds."""

    entries: tuple[Entry, ...]
    repeats: int = 0

    @property
    def first(self) -> Entry:
        """Speaks for all where they do not differ."""
        return self.entries[0]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Of the runs; None where it is not known."""
        return tuple(entry.seed for entry in self.entries)

    @property
    def has_seeds(self) -> bool:
        """Whether the seed of any run is known."""
        return any(seed is not None for seed in self.seeds)

    def setting(self, key: str) -> Any:
        """Value of a setting; None where there is no such setting."""
        return self.first.settings.get(key)

    def scores(self, task: str, metric: str | None = None) -> dict[int, float]:
        """Test value per seed of a metric of a task, the judging one by default.

        Runs of unknown seed stand under keys below 0: they count in a mean and are paired with none.
        """
        found = {}
        for index, entry in enumerate(self.entries):
            score = entry.tasks[task]
            value = score.test.get(metric or score.metric)
            if value is not None:
                found[-1 - index if entry.seed is None else entry.seed] = value
        return found

    def mean(self, name: str) -> float | None:
        """Mean over the runs of 'seconds', 'memory' or 'validation', where known."""
        values = [value for entry in self.entries if (value := getattr(entry, name)) is not None]
        return fmean(values) if values else None

    def versions(self) -> list[str]:
        """Versions of the code that the runs ran on, in order of appearance."""
        return [*dict.fromkeys(entry.version for entry in self.entries if entry.version)]


def pools(entries: Iterable[Entry]) -> list[RunPool]:
    """The complete runs by configuration, in order of first appearance.

    A seed counts once: of several runs that are equal in seed and settings the one that ended last is taken.
    """
    alike: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.complete:
            alike.setdefault(fingerprint([entry.settings, task_set(entry)]), []).append(entry)
    return [_pool(group) for group in alike.values()]


def task_set(entry: Entry) -> tuple[tuple[str, str, bool], ...]:
    """Name, judging metric and direction of each task: rows of a table share it."""
    return tuple((name, score.metric, score.higher) for name, score in entry.tasks.items())


def varying(rows: Sequence[RunPool]) -> list[str]:
    """Settings that tell the rows apart, in alphabetical order.

    A setting inside a group, such as balancer.alpha, is left out where the option chosen in the group explains it.
    """
    keys = {key for row in rows for key in row.first.settings}
    differing = [key for key in sorted(keys) if len({fingerprint(row.setting(key)) for row in rows}) > 1]
    return [key for key in differing if not _explained(key, differing, rows)]


def common(rows: Sequence[RunPool]) -> list[str]:
    """Overrides that all runs were given alike, in the order of the first; without the seed."""
    runs = [entry.overrides for row in rows for entry in row.entries]
    shared = [word for word in runs[0] if all(word in words for words in runs)] if runs else []
    return [word for word in shared if not word.lstrip("+").startswith("seed=")]


def label(row: RunPool, keys: Sequence[str]) -> str:
    """What sets a row apart in one line, such as 'balancer=pcgrad optimizer.lr=0.01'."""
    return " ".join(f"{key}={spelled(row.setting(key))}" for key in keys if key in row.first.settings) or "all"


def _pool(group: Sequence[Entry]) -> RunPool:
    latest: dict[int | None, Entry] = {}
    unknown = [entry for entry in group if entry.seed is None]
    for entry in sorted(group, key=newest_first):
        latest.setdefault(entry.seed, entry)
    latest.pop(None, None)
    chosen = [*unknown, *(latest[seed] for seed in sorted(latest, key=lambda seed: seed or 0))]
    return RunPool(tuple(chosen), len(group) - len(chosen))


def _explained(key: str, differing: Sequence[str], rows: Sequence[RunPool]) -> bool:
    group, dot, _ = key.partition(".")
    if not dot or group not in differing:
        return False
    values: dict[str, set[str]] = {}
    for row in rows:
        values.setdefault(fingerprint(row.setting(group)), set()).add(fingerprint(row.setting(key)))
    return all(len(found) == 1 for found in values.values())
