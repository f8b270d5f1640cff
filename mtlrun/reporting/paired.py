"""What can be said about a mean of a few paired differences: Student's t, and nothing bolder.

A percentile bootstrap of 3 values covers about 75 % where it says 95 %, and Wilcoxon's test cannot reach p < 0.05 below
6 pairs; a t interval keeps its level with 2. The differences have a spread of their own: no error pooled over methods,
since one noisy method would then spoil every interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from scipy.special import stdtr, stdtrit

LEVEL = 0.95
ALPHA = 1 - LEVEL
_SAME = 1e-9  # a spread below this part of the values is rounding: they are one value, written several times


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its t interval at 95 %; no interval and no p for fewer than two different values.

    `adjusted` is p after Holm's correction over the comparisons made together.
    """

    values: tuple[float, ...]
    mean: float
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted: float | None = None

    @property
    def count(self) -> int:
        """Number of seeds."""
        return len(self.values)

    @property
    def reach(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def separated(self) -> bool:
        """Whether the mean differs from 0 at 5 %, after the correction if there was one."""
        p = self.p if self.adjusted is None else self.adjusted
        return p is not None and p < ALPHA


def estimate(values: Sequence[float]) -> Estimate:
    """Mean, deviation, interval and two-sided test against 0 of one value per seed.

    Raises:
        ValueError: for no value.
    """
    if not values:
        raise ValueError("no value to take the mean of")
    mean = fmean(values)
    if len(values) == 1:
        return Estimate(tuple(values), mean)
    deviation = stdev(values)
    if deviation <= _SAME * max(map(abs, values)):
        return Estimate(tuple(values), mean, deviation)
    freedom, error = len(values) - 1, deviation / sqrt(len(values))
    reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error))
    return Estimate(tuple(values), mean, deviation, mean - reach, mean + reach, p)


def common_seeds(first: Mapping[int, float], second: Mapping[int, float]) -> list[int]:
    """Seeds that both have, in the order of the first: what may be paired.

    Keys below 0 stand for runs of unknown seed. Two of them share nothing but their place in a table, so they are no
    pair.
    """
    return [seed for seed in first if seed >= 0 and seed in second]


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Holm's (1979) adjusted p-values: reject where below the level. None (no test) stays and does not count."""
    tested = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    highest = 0.0
    for rank, (p, index) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        adjusted[index] = highest
    return adjusted


def detectable(count: int, comparisons: int = 1, power: float = 0.8) -> float:
    """The difference, in its own standard deviations, that `count` pairs show with this probability.

    (t_{1 - alpha / (2 comparisons)} + t_{power}) / sqrt(count), the usual approximation: 3.1 for 3 pairs, 1.7 for 5.

    Raises:
        ValueError: for fewer than 2 pairs.
    """
    if count < 2:
        raise ValueError("one value has no spread")
    freedom = count - 1
    return float(stdtrit(freedom, 1 - ALPHA / (2 * comparisons)) + stdtrit(freedom, power)) / sqrt(count)
