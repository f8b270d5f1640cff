"""What in a run's own record weakens its numbers: kinds of doubt that a report lists, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mtlrun.reporting.doubts import doubts

_FEW_ROWS = 100
_CHANCE = {"r2": (0.0, "the mean"), "auroc": (0.5, "chance"), "auc": (0.5, "chance")}
"""Metrics whose value for a predictor that ignores its input is known without the data."""


def cautions(summary: Mapping[str, Any], by: str = "best") -> list[str]:
    """Each as a sentence that does not name the run, so that equal ones of several runs become one line."""
    tasks = {name: entry for name, entry in (summary.get("tasks") or {}).items() if isinstance(entry, dict)}
    return [
        *_trivial(tasks, by),
        *(_few_validation_rows(tasks) if _chosen_by(summary) == "val" else ()),
        *(_last_epoch_is_best(summary) if _chosen_by(summary) else ()),
        *_measured_once(summary.get("pairs") or []),
        *doubts(summary),
    ]


def gathered(found: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """(run, its cautions) of many runs as one line per caution, with the runs it holds for."""
    runs: dict[str, list[str]] = {}
    for run, lines in found:
        for line in lines:
            runs.setdefault(line, []).append(run)
    return [f"{line} [{_named(names)}]" for line, names in runs.items()]


def _trivial(tasks: Mapping[str, Mapping[str, Any]], by: str) -> Iterator[str]:
    for name, entry in tasks.items():
        metric = str(entry.get("metric"))
        value = ((entry.get(by) or {}).get("test") or {}).get(metric)
        bar, what = _bar(entry, metric)
        if bar is None or not isinstance(value, int | float):
            continue
        worse = value <= bar if entry.get("higher_is_better") is not False else value >= bar
        if worse:
            yield f"task '{name}': {metric} is no better than always predicting {what} ({bar:.3g})"


def _bar(entry: Mapping[str, Any], metric: str) -> tuple[float | None, str]:
    """The trivial predictor's value of the judging metric and its name: as measured, or as known for the metric."""
    measured = (entry.get("trivial") or {}).get(metric)
    if isinstance(measured, int | float):
        return float(measured), "the most frequent class"
    return _CHANCE.get(metric, (None, ""))


def _chosen_by(summary: Mapping[str, Any]) -> str:
    """The split whose scores chose the epoch; '' where none was chosen but the last one taken."""
    selection = summary.get("selection") or {}
    return "" if selection.get("select") == "last" else str(selection.get("on", "val"))


def _few_validation_rows(tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, entry in tasks.items():
        count = (entry.get("rows") or {}).get("val")
        if isinstance(count, int) and count < _FEW_ROWS:
            yield f"task '{name}': only {count} validation rows chose the epoch"


def _last_epoch_is_best(summary: Mapping[str, Any]) -> Iterator[str]:
    best, last = summary.get("best_epoch"), summary.get("last_epoch")
    if best is not None and best == last:
        yield "the best epoch is the last one: it might have gone on improving (trainer.epochs)"


def _measured_once(pairs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if pairs and all(pair.get("measured") == 1 for pair in pairs):
        yield "the cosines were measured at one step only (diagnostics.every)"


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} runs, such as {names[0]}"
