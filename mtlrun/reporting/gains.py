"""Delta-m and Delta-p: what a row gained or lost against its baseline, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from mtlrun.reporting.entries import TaskScore
from mtlrun.reporting.paired import common_seeds
from mtlrun.reporting.pooling import RunPool

Measure = Literal["delta_m", "delta_p"]
MEASURES: dict[Measure, str] = {
    "delta_m": "Delta-m % (lower is better)",
    "delta_p": "Delta-p % (higher is better)",
}
"""What each is called wherever it stands, with its direction."""
MEANINGS: dict[Measure, str] = {
    "delta_m": "Delta-m: mean over the tasks of the relative loss against single-task training in the judging metric; "
    "lower is better, below 0 beats it",
    "delta_p": "Delta-p: mean over the tasks of the relative gain against single-task training, each task's metrics "
    "averaged first; higher is better, above 0 beats it",
}
_NEAR_ZERO = 0.05  # of a metric that is better when higher: a ratio to an R2 of 0.02 says nothing
_DEVIATIONS = 2.0  # a baseline closer to 0 than this many of its own standard deviations has no known sign


@dataclass(frozen=True)
class Yardstick:
    """How one metric of one task is compared: relative to the baseline, or by the difference where that is near 0."""

    task: str
    metric: str
    higher: bool
    relative: bool
    baseline: float

    def gain(self, value: float, baseline: float) -> float:
        """Percent by which `value` is better than `baseline` (negative: worse); percent points if not relative."""
        better = (value - baseline) * (1 if self.higher else -1)
        return 100 * better / (abs(baseline) if self.relative else 1.0)


def yardsticks(baseline: RunPool, measure: Measure) -> list[Yardstick]:
    """One per task for Delta-m: its judging metric. For Delta-p those that count in it."""
    found = []
    for task, score in baseline.first.tasks.items():
        wanted = {score.metric: score.higher} if measure == "delta_m" else _counted(score)
        for metric, higher in wanted.items():
            values = [*baseline.scores(task, metric).values()]
            if values:
                found.append(Yardstick(task, metric, higher, _can_divide(values, higher), fmean(values)))
    return found


def gains(row: RunPool, baseline: RunPool, sticks: Sequence[Yardstick]) -> dict[int, float]:
    """Mean gain in % over the tasks for each known seed that both have; positive is better.

    A task's metrics are averaged first, so that tasks count alike. A seed that lacks a value of any is left out.
    """
    per_task: dict[str, list[dict[int, float]]] = {}
    for stick in sticks:
        ours, theirs = row.scores(stick.task, stick.metric), baseline.scores(stick.task, stick.metric)
        paired = {seed: stick.gain(ours[seed], theirs[seed]) for seed in common_seeds(ours, theirs)}
        per_task.setdefault(stick.task, []).append(paired)
    tasks = [_mean(found) for found in per_task.values()]
    return _mean(tasks) if tasks else {}


def signed(gain: float, measure: Measure) -> float:
    """A gain as Delta-m, where lower is better, or as Delta-p."""
    return gain if measure == "delta_p" or not gain else -gain


def _mean(parts: Sequence[Mapping[int, float]]) -> dict[int, float]:
    seeds = [seed for seed in parts[0] if all(seed in part for part in parts)]
    return {seed: fmean(part[seed] for part in parts) for seed in seeds}


def _counted(score: TaskScore) -> dict[str, bool]:
    """The metrics that the run names; every one whose direction is known, where it names none."""
    found = {metric: score.directions[metric] for metric in score.counted if metric in score.directions}
    return found or {metric: higher for metric, higher in score.directions.items() if metric not in ("loss", "gap")}


def _can_divide(values: Sequence[float], higher: bool) -> bool:
    mean = fmean(values)
    spread = stdev(values) if len(values) > 1 else 0.0
    small = _NEAR_ZERO if higher else 0.0
    return abs(mean) > max(small, _DEVIATIONS * spread) and min(values) * max(values) > 0
