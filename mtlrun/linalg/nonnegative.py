"""Non-negative least squares for small problems known by a Gram matrix. Shapes: T rows; numpy float64 throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from mtlrun.errors import NotConverged

Array = np.ndarray
EPSILON = float(np.finfo(np.float64).eps)
SMALLEST_PIVOT = 1e-3
"""Of the Cholesky factor of unit rows: above it they count as independent, and no solution needs care."""
DEPENDENT = 1e-10
"""A singular value of unit rows below it is rounding: `compact` leaves exact zeros or values above 1e-8."""
SLACK = 1e-12
"""Of the conditions of an optimum, relative to the lengths of the terms."""
DAMPING = (1e-6, 1e-9, 1e-12)
"""Added to the squared lengths of columns that may depend on each other, until it tells the positive entries."""


@dataclass(frozen=True)
class CompactRows:
    """Rows with a given Gram matrix, as few columns as rows.

    Unit rows and lengths are kept apart: the Gram matrix holds each inner product to machine precision relative to the
    two rows' own lengths, and so does this, whatever lies between the shortest row and the longest.
    """

    units: Array
    """[T, m], m at most T; zero for a row of length zero."""
    lengths: Array
    """[T]"""
    independent: bool
    """Safely so; then every least squares problem over some of the rows has one solution."""

    @property
    def matrix(self) -> Array:
        """[T, m]"""
        return self.lengths[:, None] * self.units


def compact(gram: Array) -> CompactRows:
    """A square root of a Gram matrix [T, T], in which dependent rows are exactly dependent."""
    lengths = np.sqrt(np.maximum(gram.diagonal(), 0.0))
    scale = 1.0 / np.where(lengths > 0, lengths, np.inf)
    cosines = gram * scale[:, None] * scale
    factor = _factor(cosines)
    if factor is not None:
        return CompactRows(factor, lengths, True)
    return CompactRows(np.where(lengths[:, None] > 0, _truncated_root(cosines), 0.0), lengths, False)


def _factor(cosines: Array) -> Array | None:
    """The Cholesky factor, if it exists and is far from singular."""
    try:
        factor = np.linalg.cholesky(cosines)
    except np.linalg.LinAlgError:
        return None
    return factor if factor.diagonal().min() >= SMALLEST_PIVOT else None


def _truncated_root(cosines: Array) -> Array:
    """Without the eigenvalues that are rounding; their square roots, 1e-8, would make dependent rows independent."""
    values, vectors = np.linalg.eigh(cosines)
    real = values > 4 * len(values) * EPSILON
    return vectors[:, real] * np.sqrt(values[real])


def solve_nonnegative(columns: Array, target: Array, independent: bool = False) -> Array:
    """argmin |target - columns x| over x >= 0, [n], for columns [m, n] of about unit length and target [m].

    Lawson & Hanson's active set method (1974, ch. 23), exact up to rounding. Where several x are solutions, their
    positive entries are those of the damped problem, argmin |target - columns x|^2 + damping |x|^2, and of the x with
    these it is the one of least norm; for damping small enough, that is the least of all. So equal columns get equal
    x, and x follows the columns through any permutation.

    Raises:
        NotConverged: after 10 n exchanges.
    """
    if independent:
        return _active_set(columns, target)
    for damping in DAMPING:
        found = _polished(columns, target, _damped(columns, target, damping) > 0)
        if found is not None:
            return found
    return _active_set(columns, target)


def _active_set(columns: Array, target: Array) -> Array:
    if columns.size == 0:  # of which scipy 1.17 frees its memory twice
        return np.zeros(columns.shape[1])
    try:
        return nnls(columns, target, maxiter=10 * columns.shape[1])[0]
    except RuntimeError as error:
        raise NotConverged("non-negative least squares did not converge") from error


def _damped(columns: Array, target: Array, damping: float) -> Array:
    count = columns.shape[1]
    system = np.vstack([columns, damping**0.5 * np.eye(count)])
    return _active_set(system, np.concatenate([target, np.zeros(count)]))


def _polished(columns: Array, target: Array, positive: Array) -> Array | None:
    """Least squares of least norm, [n], on some of the columns; None if that is no solution over x >= 0."""
    found = np.zeros(len(positive))
    found[positive] = np.linalg.lstsq(columns[:, positive], target, rcond=DEPENDENT)[0]
    slack = SLACK * (np.linalg.norm(target) + np.abs(found).sum())
    slope = columns.T @ (target - columns @ found)
    good = max(-found.min(initial=0.0), slope.max(initial=0.0)) <= slack
    return found.clip(min=0.0) if good else None
