"""The direction in a ball around the mean of some rows that has the largest least inner product with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtlrun.errors import NotConverged
from mtlrun.linalg.min_norm import min_norm_weights
from mtlrun.linalg.nonnegative import DEPENDENT, EPSILON, Array, CompactRows, solve_nonnegative
from mtlrun.linalg.unit import row_lengths, vector_length

TOLERANCE = 1e-9
"""Of the conditions of the optimum, relative to the lengths of the terms in each inner product."""
ACCURACY = 1e-13
STATIONARY = 1e-8
"""A min-norm point this short, relative to the rows that make it up, counts as zero: a Gram matrix tells no more."""
ROUNDING = 1e-13
"""A mean this short, relative to the rows, counts as zero."""
STEPS = 60


def max_min_weights(rows: CompactRows, c: float) -> Array:
    """p >= 0 [T] with d = mean + p @ rows, where d maximises min_i row_i . d over |d - mean| <= c |mean|.

    If the rows' hull contains zero, no d gains in all rows; where the ball has directions that lose in none, all of
    them are solutions, and the one nearest to the mean is taken. A mean of zero leaves d = 0 and p = 0.

    Raises:
        NotConverged: if a row that p weighs limits d more than another, or less, by more than 1e-9 of the lengths of
            the terms involved.
    """
    mean = rows.lengths @ rows.units / len(rows.lengths)
    radius = c * vector_length(mean)
    found = np.zeros(len(rows.lengths))
    if radius > c * ROUNDING * rows.lengths.sum() / len(rows.lengths):
        live = rows.lengths > 0
        ball = _Ball(rows.units[live], rows.lengths[live] / radius, mean / radius, rows.independent)
        found[live] = ball.best(stationary=lambda: _stationary(rows))
    return found


def _stationary(rows: CompactRows) -> bool:
    """Whether the rows' hull contains zero."""
    weights = min_norm_weights(rows.matrix, rows.independent)
    return bool(vector_length(weights @ rows.matrix) <= STATIONARY * (weights @ rows.lengths))


class _Ball:
    """The ball and the rows, in units of the ball's radius.

    For a level m, the shortest delta with row_i . (mean + delta) >= m for all i is a least distance problem (Lawson &
    Hanson 1974, ch. 23), and delta = z @ units with multipliers z >= 0. Its length grows with m, and the wanted level
    is where it reaches 1. For given rows with z > 0 that is a quadratic equation in m; so the guess which one level
    gives for the next is exact as soon as these rows are the right ones.
    """

    def __init__(self, units: Array, lengths: Array, mean: Array, independent: bool) -> None:
        self.units, self.lengths, self.mean, self.independent = units, lengths, mean, independent

    def best(self, stationary: Callable[[], bool]) -> Array:
        """p [T] at the highest level in the ball."""
        reached = self._multipliers(0.0)
        inside = self._length(reached) <= 1 + TOLERANCE
        cosines = self.units @ self.mean
        gains = cosines.min() > STATIONARY * vector_length(self.mean)  # the mean does, in all rows: not stationary
        if inside and not gains and stationary():  # no d gains in all rows, and some in the ball lose in none
            return self._checked(reached, 0.0)
        inner = self.lengths * cosines
        low, high = (0.0, float((inner + self.lengths).min())) if inside else (float(inner.min()), 0.0)
        support = reached > 0
        following = self._level_on(support) if not inside or support.any() else high
        for _ in range(STEPS):
            level = following if low < following <= high else (low + high) / 2
            reached, before = self._multipliers(level), support
            length, support = self._length(reached), reached > 0
            low, high = (level, high) if length < 1 else (low, level)
            if abs(length - 1) <= ACCURACY or _same(low, high):
                return self._checked(reached, level)
            if (support != before).any():
                following = self._level_on(support)
            if _same(level, following):
                return self._checked(reached, level)
        raise NotConverged("the level of the worst row did not converge")

    def _height(self, level: float) -> Array:
        """What delta has to add to each unit row's inner product, [T]."""
        return level / self.lengths - self.units @ self.mean

    def _multipliers(self, level: float) -> Array:
        """z [T] of the shortest delta that reaches a level; enormous if none does."""
        columns = np.concatenate([self.units, self._height(level)[:, None]], 1)
        sizes = row_lengths(columns)
        target = np.zeros(columns.shape[1])
        target[-1] = 1.0
        found = solve_nonnegative((columns / sizes[:, None]).T, target, self.independent) / sizes
        return found / max(float(1 - columns[:, -1] @ found), EPSILON)

    def _length(self, multipliers: Array) -> float:
        return vector_length(multipliers @ self.units)

    def _level_on(self, support: Array) -> float:
        """The level that delta of length 1 reaches if only these rows matter; minus infinity if it reaches none.

        delta lies in their span with units . delta = m / lengths - units . mean, so it is m x - y with x and y from two
        linear systems, and m is the larger root of |m x - y| = 1.
        """
        units = self.units[support]
        sides = np.column_stack([1 / self.lengths[support], units @ self.mean])
        x, y = (np.linalg.pinv(units, rcond=DEPENDENT) @ sides).T
        half, square = x @ y, x @ x
        root = half * half - square * (y @ y - 1)
        return float((half + root**0.5) / square) if root >= 0 and square > 0 else -np.inf

    def _checked(self, multipliers: Array, level: float) -> Array:
        """p [T] from z [T], if the conditions of the optimum hold."""
        multipliers = multipliers / max(self._length(multipliers), 1.0)
        gap = self._height(level) - self.units @ (multipliers @ self.units)
        gap /= vector_length(self.mean) + multipliers.sum()
        if gap.max() > TOLERANCE:
            raise NotConverged(f"the level of the worst row is off by {gap.max():.1e}")
        return multipliers / self.lengths


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= ACCURACY * abs(one)
