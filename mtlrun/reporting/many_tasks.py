"""Statistics over ten tasks or more: interquartile mean, performance profile, probability of improvement.

Agarwal et al. 2021, Deep Reinforcement Learning at the Edge of the Statistical Precipice, arXiv:2108.13264. Deviation:
the interquartile mean is taken per seed and has a t interval over seeds, not a bootstrap over runs and tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from mtlrun.reporting.paired import Estimate, estimate

FEWEST_TASKS = 10
THRESHOLDS = (-20.0, -10.0, -5.0, -2.0, 0.0, 2.0, 5.0, 10.0, 20.0)
"""Gains in % at which the profile is read."""

TaskGains = Mapping[str, Mapping[int, float]]
"""Per task the gain in % of each seed; positive is better."""


@dataclass(frozen=True)
class ManyTasks:
    """A row against its baseline, over many tasks.

    interquartile_mean: of the gains in %, over the middle half of the tasks.
    profile: at each of THRESHOLDS the share of tasks and seeds whose gain lies above.
    improvement: probability that a run of this row beats a run of the baseline in a task, averaged over the tasks.
    """

    interquartile_mean: Estimate
    profile: tuple[float, ...]
    improvement: float


def many_tasks(gains: TaskGains, ours: TaskGains, theirs: TaskGains) -> ManyTasks | None:
    """From paired gains, and both sides' values with higher being better; None without a common seed."""
    seeds = [seed for seed in next(iter(gains.values())) if all(seed in task for task in gains.values())]
    if not seeds:
        return None
    everything = [gain for task in gains.values() for gain in task.values()]
    return ManyTasks(
        estimate([interquartile_mean([task[seed] for task in gains.values()]) for seed in seeds]),
        tuple(sum(gain > threshold for gain in everything) / len(everything) for threshold in THRESHOLDS),
        fmean(_improvement([*ours[task].values()], [*theirs[task].values()]) for task in gains),
    )


def interquartile_mean(values: Sequence[float]) -> float:
    """Mean without the lowest and the highest quarter of the values, rounded down."""
    cut = len(values) // 4
    return fmean(sorted(values)[cut : len(values) - cut])


def _improvement(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Share of all pairs in which ours is larger; a tie is half."""
    pairs = [(a > b) + 0.5 * (a == b) for a in ours for b in theirs]
    return fmean(pairs)
