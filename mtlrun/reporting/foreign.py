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

PUBLISHED = "published"
"""A column that marks values of papers, which are no runs and are left out."""

_SPLITS = {"test": "test", "val": "val", "valid": "val", "validation": "val", "eval": "test"}
_RUN = ("run", "name", "id", "folder")
_LOWER = re.compile(
    r"(log)?loss|losses|errs?|errors?|[nr]*mse|r?msle|s?mape|mae|absrel|[wce]er|fid|kid|lpips|perplexity|ppl|nll|ece|"
    r"brier|dist|distance|angle|hausdorff|divergence|deviance|regret",
    re.IGNORECASE,
)
"""Whole words in a metric's name that make it better when lower: parts of words would find err in power."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # valLoss is two words, MSELoss too

_Scores = dict[tuple[str, str, str], float]
"""(split, task, metric) -> value"""
_Directions = dict[tuple[str, str], bool]
"""(task, metric) -> whether higher is better, where the table says so"""


def read_table(path: Path, lower: Sequence[str] = ()) -> list[Entry]:
    """One finished entry per run of the table.

    A tidy table has the columns task, metric, value, and run or seed with settings; the first metric of a task judges
    it. In a wide table each row is a run, and columns called task/metric or split/task/metric are scores. Without a
    column higher_is_better a metric is better when lower if a word of its name says so (loss, error, rmse, ...) or it
    stands in `lower`; what was taken from names is listed in `TaskScore.assumed`.

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
    own = [row for row in rows if not row.get(PUBLISHED)]
    if not own:
        raise ConfigError(f"{path} has no rows")
    return own


def _wide(rows: Sequence[dict[str, str]], lower: Sequence[str]) -> list[Entry]:
    return [_entry(row, _score_columns(row), {}, lower, f"row {index}") for index, row in enumerate(rows, start=1)]


def _score_columns(row: Mapping[str, str]) -> _Scores:
    found: _Scores = {}
    for name, text in row.items():
        value = _number(text)
        if "/" not in name or value is None:
            continue
        *split, task, metric = ["", *name.split("/")][-3:]
        found[_split(split[0] if split else ""), task, metric] = value
    return found


def _split(name: str) -> str:
    """No name means test rows; another one than those known, such as train, is kept apart from them."""
    return _SPLITS.get(name.strip().lower() or "test", "other")


def _tidy(rows: Sequence[dict[str, str]], lower: Sequence[str]) -> list[Entry]:
    runs: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        runs.setdefault(_run_name(row) or repr(_settings(row)) + row.get("seed", ""), []).append(row)
    entries = []
    for number, group in enumerate(runs.values(), start=1):
        scores: _Scores = {}
        directions: _Directions = {}
        for row in group:
            value = _number(row["value"])
            if value is not None:
                scores[_split(row.get("split", "")), row["task"], row["metric"]] = value
            if row.get("higher_is_better"):
                directions[row["task"], row["metric"]] = row["higher_is_better"].strip().lower() in ("true", "1", "yes")
        entries.append(_entry(group[0], scores, directions, lower, f"run {number}"))
    return entries


def _entry(row: Mapping[str, str], scores: _Scores, directions: _Directions, lower: Sequence[str], name: str) -> Entry:
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


def _score(task: str, scores: _Scores, known: _Directions, lower: Sequence[str]) -> TaskScore | None:
    by_split: dict[str, dict[str, float]] = {"test": {}, "val": {}}
    for (split, of, metric), value in scores.items():
        if of == task and split in by_split:
            by_split[split][metric] = value
    if not by_split["test"]:
        return None
    directions = {metric: known.get((task, metric), _higher(metric, lower)) for metric in by_split["test"]}
    assumed = tuple(metric for metric in directions if (task, metric) not in known and metric not in lower)
    judge = next((metric for metric in directions if metric != "loss"), "loss")
    return TaskScore(judge, directions[judge], by_split["test"], by_split["val"], directions, assumed=assumed)


def _higher(metric: str, lower: Sequence[str]) -> bool:
    return metric not in lower and not any(map(_LOWER.fullmatch, _WORD.findall(metric)))


def _settings(row: Mapping[str, str]) -> dict[str, Any]:
    """Everything that is no score, no name and no seed; numbers as numbers."""
    apart = {*TIDY, *_RUN, PUBLISHED, "seed", "seconds", "split", "higher_is_better"}
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
