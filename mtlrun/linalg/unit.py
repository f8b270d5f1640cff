"""Gram matrices of unit rows: equations about directions stay exact when the rows' lengths differ by many orders.

Numpy throughout: at these sizes it is several times faster than torch. Shapes: T tasks, R of them with a non-zero row.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESOLUTION = 2.0**-46
"""Square of float32's epsilon. Eigenvalues of the unit Gram matrix below R times this are rounding: of float32 rows in
the rows themselves, of float64 rows in their Gram matrix."""


def vector_length(values: Array) -> float:
    """np.linalg.norm of a vector, in a third of its time."""
    return sqrt(values @ values)


def row_lengths(rows: Array) -> Array:
    """np.linalg.norm(rows, axis=1), in half of its time: [T, m] -> [T]."""
    return np.sqrt((rows * rows).sum(1))


@dataclass(frozen=True)
class UnitRows:
    """The non-zero rows of a Gram matrix, and their Gram matrix once scaled to unit length.

    live: [T], which rows are not zero; lengths: [R], their norms; gram: [R, R], with a unit diagonal.
    """

    live: NDArray[np.bool_]
    lengths: Array
    gram: Array

    def spread(self, values: Array) -> Array:
        """Values [R] of the non-zero rows at their places among all rows, [T]; zero elsewhere."""
        full = np.zeros(len(self.live))
        full[self.live] = values
        return full


def unit_rows(gram: NDArray[Any]) -> UnitRows:
    """Take the row lengths out of a Gram matrix [T, T]."""
    live = gram.diagonal() > 0
    part = gram if live.all() else gram[np.ix_(live, live)]
    lengths = np.sqrt(part.diagonal())
    unit = np.minimum(np.maximum(part / lengths[:, None] / lengths, -1.0), 1.0)
    unit.flat[:: len(unit) + 1] = 1.0
    return UnitRows(live, lengths, unit)


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues [r] above rounding with their vectors [R, r], and the vectors [R, R - r] of the null space."""

    values: Array
    vectors: Array
    null: Array


def spectrum(unit: Array) -> Spectrum:
    """Eigenvectors of a unit Gram matrix [R, R], those of its null space apart."""
    values, vectors = np.linalg.eigh(unit)
    real = values > len(unit) * RESOLUTION
    return Spectrum(values[real], vectors[:, real], vectors[:, ~real])
