"""Delta-m and Delta-p as published tables define them: relative to the table's own single-task vector."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from mtlrun.published.table import PublishedMetric, PublishedTable


def published_delta(table: PublishedTable, values: Sequence[float | None]) -> float | None:
    """Of one row, in percent; None where the table has no such measure, or a value is missing.

    Args:
        table: with its single-task vector, and the definition.
        values: one per metric, in the table's units.
    """
    if table.delta is None or len(values) != len(table.metrics):
        return None
    found = [value for value in values if value is not None]
    if len(found) < len(values):
        return None
    references = [number.value for number in table.single_task]
    changes = [
        100 * (value - reference) / reference * (1 if metric.higher == table.delta.higher else -1)
        for value, reference, metric in zip(found, references, table.metrics)
    ]
    return fmean(_by_task(table.metrics, changes) if table.delta.by_task else changes)


def _by_task(metrics: Sequence[PublishedMetric], changes: Sequence[float]) -> list[float]:
    """The mean over each task's metrics."""
    groups: dict[str, list[float]] = {}
    for metric, change in zip(metrics, changes):
        groups.setdefault(metric.task, []).append(change)
    return [fmean(group) for group in groups.values()]
