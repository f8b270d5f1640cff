"""Results of other tools: a tidy table, or one row per run, as entries like those of our own runs."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError, near_miss
from mtlrun.reporting.entries import Entry, TaskScore, validation_score
from mtlrun.runs.yamlfile import parse_yaml

TIDY = ("task", "metric", "value")
"""Columns that make a table a tidy one; run, seed, split and higher_is_better are known too, others are settings."""

_SPLITS = {"test": "test", "val": "val", "valid": "val", "validation": "val", "eval": "test"}
_RUN = ("run", "name", "id", "folder")
_LOWER = re.compile(r"loss|err|rmse|mse|mae|mape|dist|angle|perplexity|nll|ece|wer|fid", re.IGNORECASE)

_Scores = dict[tuple[str, str, str], float]
"""(split, task, metric) -> value"""


def read_table(path: Path, lower: Sequence[str] = ()) -> list[Entry]:
    """One finished entry per run of the table.

    A tidy table has the columns task, metric, value, and run or seed with settings; the first metric of a task judges
    it. In a wide table each row is a run, and columns called task/metric or split/task/metric are scores. Without a
    column higher_is_better a metric is better when lower if its name says so (loss, error, rmse, ...) or stands in
    `lower`.

    Raises:
        ConfigError: for a file that is neither.
    """
    rows = _rows(path)
    entries = _tidy(rows, lower) if set(TIDY) <= set(rows[0]) else _wide(rows, lower)
    if not any(entry.tasks for entry in entries):
        close = next((near_miss(name, rows[0]) for name in TIDY if near_miss(name, rows[0])), "")
        raise ConfigError(
            f"{path} has no scores: name columns task/metric (such as left/accuracy), or have columns task, metric and "
            f"value; found {', '.join(rows[0])}{close}"
        )
    return entries


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [{str(name).strip(): value or "" for name, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not rows:
        raise ConfigError(f"{path} has no rows")
    return rows


def _wide(rows: Sequence[dict[str, str]], lower: Sequence[str]) -> list[Entry]:
    return [_entry(row, _score_columns(row), {}, lower, f"row {index}") for index, row in enumerate(rows, start=1)]


def _score_columns(row: Mapping[str, str]) -> _Scores:
    found: _Scores = {}
    for name, text in row.items():
        value = _number(text)
        if "/" not in name or value is None:
            continue
        *split, task, metric = ["", *name.split("/")][-3:]
        found[_SPLITS.get(split[0].lower(), "test") if split else "test", task, metric] = value
    return found


def _tidy(rows: Sequence[dict[str, str]], lower: Sequence[str]) -> list[Entry]:
    runs: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        runs.setdefault(_run_name(row) or repr(_settings(row)) + row.get("seed", ""), []).append(row)
    entries = []
    for number, group in enumerate(runs.values(), start=1):
        scores: _Scores = {}
        directions: dict[str, bool] = {}
        for row in group:
            value = _number(row["value"])
            if value is not None:
                scores[_SPLITS.get(row.get("split", "test").lower(), "other"), row["task"], row["metric"]] = value
            if row.get("higher_is_better"):
                directions[row["metric"]] = row["higher_is_better"].strip().lower() in ("true", "1", "yes")
        entries.append(_entry(group[0], scores, directions, lower, f"run {number}"))
    return entries


def _entry(
    row: Mapping[str, str], scores: _Scores, directions: Mapping[str, bool], lower: Sequence[str], name: str
) -> Entry:
    tasks = {task: _score(task, scores, directions, lower) for _, task, _ in scores}
    kept = {task: score for task, score in tasks.items() if score is not None}
    seed = _number(row.get("seed", ""))
    return Entry(
        folder=_run_name(row) or name,
        settings=_settings(row),
        seed=None if seed is None else int(seed),
        status="finished",
        tasks=kept,
        seconds=_number(row.get("seconds", "")),
        validation=validation_score(kept.values()),
    )


def _score(task: str, scores: _Scores, known: Mapping[str, bool], lower: Sequence[str]) -> TaskScore | None:
    by_split: dict[str, dict[str, float]] = {"test": {}, "val": {}}
    for (split, of, metric), value in scores.items():
        if of == task and split in by_split:
            by_split[split][metric] = value
    if not by_split["test"]:
        return None
    directions = {metric: known.get(metric, _higher(metric, lower)) for metric in by_split["test"]}
    judge = next((metric for metric in directions if metric != "loss"), "loss")
    return TaskScore(judge, directions[judge], by_split["test"], by_split["val"], directions)


def _higher(metric: str, lower: Sequence[str]) -> bool:
    return metric not in lower and _LOWER.search(metric) is None


def _settings(row: Mapping[str, str]) -> dict[str, Any]:
    """Everything that is no score, no name and no seed; numbers as numbers."""
    apart = {*TIDY, *_RUN, "seed", "seconds", "split", "higher_is_better"}
    return {name: _value(text) for name, text in row.items() if name not in apart and "/" not in name and text != ""}


def _value(text: str) -> Any:
    value = parse_yaml(text)
    return value if isinstance(value, int | float | bool | list) else text


def _run_name(row: Mapping[str, str]) -> str:
    return next((row[name] for name in _RUN if row.get(name)), "")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
