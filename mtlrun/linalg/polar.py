"""Orthonormal rows nearest to given rows, from their Gram matrix alone. Shapes: T rows of rank r.

An eigendecomposition of the Gram matrix loses every eigenvalue below 1e-16 of the largest: rows of norm 1e-6 beside
rows of norm 1e6 would count as zero. A Cholesky factor with the largest rows first and a one-sided Jacobi SVD of it
keep each row's own digits (Demmel et al. 1999, "Computing the singular value decomposition with high relative
accuracy").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dgejsv

from mtlrun.linalg.unit import RESOLUTION, Array


def polar_weights(gram: Array) -> tuple[Array, Array]:
    """What to combine rows J [T, P] with, given their Gram matrix J J^T [T, T], to get the sum of their polar factor.

    With J = V S W^T of rank r, the polar factor is V W^T: of all such products the nearest to J.

    Returns:
        (the smallest weights [T] with J^T weights = W V^T 1, the singular values S [r] from the largest on).
    """
    factor, order = cholesky(gram)
    rank = factor.shape[1]
    if rank == 0:
        return np.zeros(len(gram)), np.zeros(0)
    singular, left, right, work, _, _ = dgejsv(factor, joba=2, jobu=0, jobv=0, jobr=0, jobt=1, jobp=0)
    weights = np.empty(len(gram))
    weights[order] = _smallest_solution(factor, right @ left[:, :rank].sum(0))
    return weights, singular * (work[0] / work[1])


def cholesky(gram: Array) -> tuple[Array, NDArray[np.intp]]:
    """Factor F [T, r] and order [T] with F F^T = gram[order][:, order]; each pivot is the largest remainder of a row.

    A row has no further entry once its remainder, the row minus a combination of pivots, is only rounding: its square
    is below T times RESOLUTION times the square of the summed lengths of the terms it is the difference of.
    """
    count, squares = len(gram), gram.diagonal()
    inverse = np.divide(1, np.sqrt(squares), out=np.zeros(count), where=squares > 0)
    rest, pivots = squares.copy(), np.zeros(count, dtype=bool)
    factor, combination = np.zeros((count, count)), np.zeros((count, count))  # of unit rows, in terms of unit pivots
    order: list[int] = []
    while len(order) < count:
        rest[rest <= count * RESOLUTION * squares * (1 + np.abs(combination).sum(1)) ** 2] = 0
        pivot = int(rest.argmax())
        if rest[pivot] == 0:
            break
        column = np.where(rest > 0, gram[:, pivot] - factor @ factor[pivot], 0)
        share = column * inverse / (rest[pivot] * inverse[pivot])
        factor[:, len(order)] = column / np.sqrt(rest[pivot])
        combination -= np.outer(share, combination[pivot])
        combination[:, len(order)] += share
        rest -= factor[:, len(order)] ** 2
        pivots[pivot], rest[pivot] = True, 0
        order.append(pivot)
    factor = factor[:, : len(order)]
    indices = np.concatenate([np.array(order, dtype=np.intp), np.flatnonzero(~pivots)])
    return factor[indices], indices


def _smallest_solution(factor: Array, target: Array) -> Array:
    """The smallest x [T] with factor^T x = target [r], for a factor of `cholesky`.

    The columns are brought to a unit pivot first, so that the equation holds to the same relative accuracy for rows of
    any length. The dependent rows' part of x minimises the norm; the pivots' part solves the equation whatever that is.
    """
    rank = factor.shape[1]
    pivots = factor.diagonal()
    top, bottom = factor[:rank] / pivots, factor[rank:] / pivots
    alone = solve_triangular(top, target / pivots, lower=True, trans="T", unit_diagonal=True)
    if not len(bottom):
        return alone
    share = solve_triangular(top, bottom.T, lower=True, trans="T", unit_diagonal=True).T
    dependent = np.linalg.solve(np.eye(len(bottom)) + share @ share.T, share @ alone)
    return np.concatenate([alone - share.T @ dependent, dependent])
