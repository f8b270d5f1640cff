"""The single-task runs that a row is measured against."""

from __future__ import annotations

from collections.abc import Sequence

from mtlrun.reporting.pooling import RunPool
from mtlrun.reporting.settings import fingerprint

_BUDGET = ("trainer.epochs", "trainer.max_steps", "trainer.batch_size", "trainer.accumulate")
_SAME = ("task", "tasks", "data", "backbone")  # groups, with all their settings
SINGLE_TASK_WORDS = ("independent", "single_task", "single-task", "single task", "single", "stl")


def is_single_task(row: RunPool) -> bool:
    """Whether each task had a network of its own; in tables of other tools, whether a setting says so."""
    target = row.setting("sharing._target_")
    if target is not None:
        return str(target).endswith(".Independent")
    return any(isinstance(value, str) and value.lower() in SINGLE_TASK_WORDS for value in row.first.settings.values())


def find_baseline(row: RunPool, rows: Sequence[RunPool]) -> RunPool | None:
    """The single-task row of the same data, backbone and budget that differs least in what else was set.

    None if there is none, or if several differ equally little.
    """
    fitting = [other for other in rows if is_single_task(other) and _basis(other) == _basis(row)]
    ranked = sorted(fitting, key=lambda other: _distance(row, other))
    if len(ranked) > 1 and _distance(row, ranked[0]) == _distance(row, ranked[1]):
        return None
    return ranked[0] if ranked else None


def alike(rows: Sequence[RunPool]) -> list[list[RunPool]]:
    """The rows that one baseline would serve, together: those of the same data, backbone and budget."""
    found: dict[str, list[RunPool]] = {}
    for row in rows:
        found.setdefault(_basis(row), []).append(row)
    return [*found.values()]


def _basis(row: RunPool) -> str:
    settings = row.first.settings
    kept = [key for key in sorted(settings) if key in _BUDGET or key.partition(".")[0] in _SAME]
    return fingerprint([(key, settings[key]) for key in kept])


def _distance(row: RunPool, other: RunPool) -> int:
    """Number of settings that differ; a baseline has no use for a sharing scheme and a balancer."""
    keys = {*row.first.settings, *other.first.settings}
    compared = [key for key in keys if key.partition(".")[0] not in ("sharing", "balancer")]
    return sum(fingerprint(row.setting(key)) != fingerprint(other.setting(key)) for key in compared)
