"""Projections on the dual cone of some rows, {d: no row has a negative inner product with d}."""

from __future__ import annotations

import numpy as np

from mtlrun.errors import NotConverged
from mtlrun.linalg.nonnegative import Array, CompactRows, solve_nonnegative

TOLERANCE = 1e-9
"""Of the conditions below, relative to the lengths of the vectors in each inner product."""
ROUNDING = 1e-13
"""Multipliers and inner products above its negative count as non-negative while sets are guessed."""
ROUNDS = 8


def dual_cone_weights(rows: CompactRows, combinations: Array) -> Array:
    """Weights [R, T] of the projections of R combinations [R, T] of T rows on the rows' dual cone.

    The projection of J^T u is J^T (u + v), where v >= 0 minimises |J^T (u + v)| (Moreau). With multipliers
    z = lengths * v of the unit rows, each is a non-negative least squares problem whose matrix does not depend on the
    rows' lengths.

    Where the projection is reached by several v (dependent rows, a hull around zero), it is the one with the least |z|:
    equal rows share equally, and the weights follow the rows through any permutation. A row of zeros constrains nothing
    and keeps its weight.

    Raises:
        NotConverged: if a projection opposes a row, or has an inner product with J^T v, by more than 1e-9 of the
            lengths of the terms involved.
    """
    live = rows.lengths > 0
    weights = combinations.copy()
    if live.any():
        scaled = combinations[:, live] * rows.lengths[live]
        weights[:, live] += _multipliers(rows.units[live], scaled, rows.independent) / rows.lengths[live]
    return weights


def _multipliers(units: Array, combinations: Array, independent: bool) -> Array:
    """z >= 0 [R, T] of combinations [R, T] of unit rows."""
    sizes = np.abs(combinations).sum(1, keepdims=True)
    scaled = np.divide(combinations, sizes, out=np.zeros_like(combinations), where=sizes > 0)
    cosines = units @ units.T
    found, solved = np.zeros_like(scaled), np.zeros(len(scaled), dtype=bool)
    if independent:
        found, solved = _exchanged(cosines, scaled @ cosines)
    for index in np.flatnonzero(~solved):
        found[index] = solve_nonnegative(units.T, -scaled[index] @ units, independent)
    _check(cosines, scaled, found)
    return found * sizes


def _exchanged(cosines: Array, slopes: Array) -> tuple[Array, Array]:
    """z >= 0 [R, T] that minimise z.C.z / 2 + slope.z for all slopes [R, T] at once, and which of them are [R].

    Guesses which multipliers are positive, solves, and moves every one that turns out wrong to the other side (block
    principal pivoting: Judice & Pires 1994). A handful of rounds settles nearly all problems, though it may cycle.
    """
    found, solved = np.zeros_like(slopes), np.zeros(len(slopes), dtype=bool)
    open_ = np.arange(len(slopes))
    positive = slopes < 0
    for _ in range(ROUNDS):
        trial = _solved_on(positive, cosines, slopes[open_])
        inner = trial @ cosines + slopes[open_]
        wrong = np.where(positive, trial, inner) < -ROUNDING * (1 + np.abs(trial).sum(1, keepdims=True))
        right = ~wrong.any(1)
        found[open_[right]], solved[open_[right]] = trial[right].clip(min=0.0), True
        if right.all():
            break
        open_, positive = open_[~right], (positive ^ wrong)[~right]
    return found, solved


def _solved_on(positive: Array, cosines: Array, slopes: Array) -> Array:
    """z [R, T] with C z = -slope where `positive` [R, T], and z = 0 elsewhere."""
    width = int(positive.sum(1).max())
    order = np.argsort(~positive, axis=1, kind="stable")[:, :width]  # the positive ones first, then padding
    used = np.take_along_axis(positive, order, 1)
    systems = cosines[order[:, :, None], order[:, None, :]]
    systems[~(used[:, :, None] & used[:, None, :])] = 0.0
    systems[:, np.arange(width), np.arange(width)] = 1.0
    targets = np.where(used, -np.take_along_axis(slopes, order, 1), 0.0)
    found = np.zeros_like(slopes)
    np.put_along_axis(found, order, np.linalg.solve(systems, targets[:, :, None])[:, :, 0], 1)
    return found


def _check(cosines: Array, scaled: Array, multipliers: Array) -> None:
    """Raise NotConverged unless the conditions of the optimum hold."""
    length = 1 + multipliers.sum(1, keepdims=True)
    inner = (scaled + multipliers) @ cosines / length
    off = max(-inner.min(initial=0.0), np.abs((multipliers / length * inner).sum(1)).max(initial=0.0))
    if off > TOLERANCE:
        raise NotConverged(f"the projection on the dual cone is off by {off:.1e}")
