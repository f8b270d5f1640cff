"""What in a run's results should not be taken at its face value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FACTOR = 2.0
"""Between validation and test, in the judging metric and in the loss: chance alone seldom doubles both."""


def doubts(summary: Mapping[str, Any]) -> list[str]:
    """A line if test rows have chosen the epoch, and one for each task that fails on test rows what it has learned.

    The epoch was chosen on validation data and both splits are unseen, so they should agree. Where the judging
    metric is less than half as good on the test and the loss more than twice as high, the test rows are unlike the
    others: what the network goes by holds in training and validation only, such as another task's label that
    happens to agree.
    """
    tasks = summary.get("tasks") or {}
    return [*_chosen_on_test(summary), *(_line(task, entry) for task, entry in tasks.items() if _collapses(entry))]


def _chosen_on_test(summary: Mapping[str, Any]) -> list[str]:
    if (summary.get("selection") or {}).get("on") != "test":
        return []
    return ["the best epoch was chosen by its test scores (trainer.select_on=test), which are therefore too good"]


def _collapses(entry: Mapping[str, Any]) -> bool:
    val, test = ((entry.get("best") or {}).get(split) or {} for split in ("val", "test"))
    values = [split.get(name) for name in (entry.get("metric"), "loss") for split in (val, test)]
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values):
        return False
    judged, found, val_loss, test_loss = numbers
    higher = entry.get("higher_is_better") is not False
    worse = found * FACTOR < judged if higher else judged * FACTOR < found
    return judged > 0 and worse and 0 <= val_loss * FACTOR < test_loss


def _line(task: str, entry: Mapping[str, Any]) -> str:
    metric = entry["metric"]
    val, test = (entry["best"][split][metric] for split in ("val", "test"))
    return (
        f"task '{task}': {metric} {test:.3g} on test rows, {val:.3g} on validation rows: what it learned does not hold "
        "on the test rows (a shortcut, or other data)"
    )
