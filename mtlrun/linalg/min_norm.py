"""The point of least norm in the convex hull of some rows."""

from __future__ import annotations

import numpy as np

from mtlrun.errors import NotConverged
from mtlrun.linalg.nonnegative import Array, solve_nonnegative
from mtlrun.linalg.unit import row_lengths

TOLERANCE = 1e-9
"""Of the duality gap, relative to the lengths of the two vectors in each inner product."""


def min_norm_weights(rows: Array, independent: bool = False) -> Array:
    """Weights [T] on the simplex that minimise |w @ rows|, for rows [T, m].

    Column i of a non-negative least squares problem is row i with one more entry, a constant; its target is zero but
    for that entry. For x = s w the residual is s^2 |w @ rows|^2 + (s - 1)^2 times constants, so that at any s > 0 the
    best w is the one wanted. The columns are brought to unit length first, which keeps rows that differ by many orders
    of magnitude apart from each other's rounding.

    Where the point is reached by several weightings (dependent rows, a hull around zero), equal rows share equally and
    the weights follow the rows through any permutation: of all weightings it is about the one with the least sum of
    (w_i |row i|)^2. A row of zeros is the point itself and takes all the weight; several share it.

    Args:
        rows: [T, m]
        independent: whether the rows are known to be, which saves the choice among weightings.

    Raises:
        NotConverged: if v.v - row.v > 1e-9 (|row| + l) l for a row, where v is the point and l the mean length of the
            rows under the weights.
    """
    lengths = row_lengths(rows)
    if not lengths.all():
        return (lengths == 0) / float((lengths == 0).sum())
    columns, sizes = _lifted(rows, lengths)
    target = np.zeros(columns.shape[1])
    target[-1] = 1.0
    weights = solve_nonnegative(columns.T, target, independent) / sizes
    weights /= weights.sum()
    gap = _gap(weights, rows, lengths)
    if gap.max() > TOLERANCE:
        raise NotConverged(f"the duality gap of the min-norm point is {gap.max():.1e}")
    return weights


def _lifted(rows: Array, lengths: Array) -> tuple[Array, Array]:
    """The rows with one more entry, the shortest row's length, and divided by their sizes [T]."""
    lifted = np.concatenate([rows, np.full((len(rows), 1), lengths.min())], 1)
    sizes = row_lengths(lifted)
    return lifted / sizes[:, None], sizes


def _gap(weights: Array, rows: Array, lengths: Array) -> Array:
    """v.v - row.v for each row, relative to the lengths behind it, [T]: at most 0 at the exact solution."""
    point = weights @ rows
    typical = weights @ lengths
    return (point @ point - rows @ point) / ((lengths + typical) * typical)
