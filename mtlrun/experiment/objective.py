"""What a job of a sweep tells the sweeper: validation scores, never test scores. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mtlrun.config.check import objective_names
from mtlrun.errors import ConfigError, choose

SCORE = "score"
"""The objective that is what the best epoch is chosen by."""

Objective = float | list[float]


def objective_value(summary: Mapping[str, Any], objective: Any) -> Objective | None:
    """The value of `objective`, or a list of values for a list; higher is always better.

    Each one is of the best validation epoch. A metric that is better when lower, or a loss, is returned with a minus.

    Args:
        summary: of a finished run.
        objective: 'score', 'TASK/METRIC' or a list of such words.

    Returns:
        None if a value is not a finite number: the sweeper counts the job as failed.

    Raises:
        ConfigError: for a task or a metric that the run does not have.
    """
    values = [_value(summary, name) for name in objective_names(objective)]
    if not all(value is not None and math.isfinite(value) for value in values):
        return None
    return values if not isinstance(objective, str) else values[0]  # type: ignore[return-value]


def check_objective(objective: Any, directions: Mapping[str, Mapping[str, bool]]) -> None:
    """Raise ConfigError for an objective that none of the tasks' metrics gives.

    Args:
        objective: as above.
        directions: task -> metric -> whether higher is better.
    """
    for name in objective_names(objective):
        task, slash, metric = name.partition("/")
        if slash:
            choose(task, directions, f"task in objective={name} named")
            choose(metric, [*directions[task], "loss"], f"metric of task '{task}' for the objective")


def _value(summary: Mapping[str, Any], name: str) -> float | None:
    if name == SCORE:
        return summary.get("best_score")
    task, _, metric = name.partition("/")
    entry = summary["tasks"].get(task) or {}
    value = entry.get("best", {}).get("val", {}).get(metric)
    higher = (entry.get("directions") or {}).get(metric, metric != "loss")
    if metric not in entry.get("best", {}).get("val", {}):
        raise ConfigError(f"objective={name}: no such task and metric in the summary")
    return value if higher or value is None else -value
