"""Weights of alpha-fair bargaining: w > 0 with G w = w^(-power) elementwise, for Nash-MTL and FairGrad.

With rows of unit length, U_ij = G_ij / (n_i n_j), and v_i = n_i w_i it reads U v = b v^(-power), b_i = n_i^(power - 1).
That is where the convex function v'Uv / 2 + sum_i b_i psi(v_i), psi'(v) = -v^(-power), has its minimum. Newton steps
relative to v, with a line search, find it to rounding in about 6 iterations on ordinary gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtlrun.errors import NotConverged
from mtlrun.linalg.unit import RESOLUTION, Array, unit_rows

TOLERANCE = 1e-13
"""Relative difference of the two sides of the equation, where rounding of U v allows it."""
POLISHED = 1e-9
"""Where that rounding is a larger part of the two sides, a few more steps take the error of stopping early away."""
RIDGE = 1e-6
"""Added to the diagonal of U where a combination v >= 0 of unit rows is zero, as there is no finite solution then."""
SURE = 0.1
"""What is left of rows that cancel, as a part of the bound, up to which they are taken to be at a stationary point."""
GUESSES = 20
"""For the smallest ridge that keeps v within what double precision carries; three are enough as a rule."""
SMALLEST = -300.0
"""Of log v: with a small power, a row that the others serve well can have a weight that no float holds."""
LARGEST_LOSS = 0.9
"""Part of a v that one step may take away."""
MAX_STEPS = 600
"""Reached only with rows that differ by 1e12 in length and powers far from 1."""


@dataclass(frozen=True)
class FairWeights:
    """weights: w [T]; guarded: whether a stationary point, or one too near to tell, had to be kept from infinity."""

    weights: Array
    guarded: bool = False


def fair_solution(gram: Array, power: float) -> FairWeights:
    """w [T] > 0 with G w = w^(-power) for a Gram matrix [T, T]; a zero row, where that cannot hold, has weight 0.

    Near a stationary point (some combination of rows with weights >= 0 is nearly zero) weights are large, and at one
    the equation has no finite solution. A Gram matrix in double precision tells v'Uv from zero down to about 1e-14 R
    times v'v, where rows cancel to 1e-7 of their lengths. Up to there the equation is solved as it stands. Beyond,
    U + m I takes the place of U, with the smallest m that keeps v within that bound, enlarged the further it is
    from enough, up to 1e-6 at a stationary point: the rows that cancel then get weights (for power 1 around 1e3 / norm)
    which still cancel in single precision, and the others bargain among themselves. m grows from zero without
    a jump, so that the last bit of G, which depends on the processor, decides nothing.

    Raises:
        NotConverged: if the iteration fails even so.
    """
    rows = unit_rows(gram)
    if not rows.live.any():
        return FairWeights(np.zeros(len(gram)))
    scale = np.exp(np.log(rows.lengths).mean())  # keeps b in range; w scales with its -2 / (1 + power)-th power
    relative = rows.lengths / scale
    log_target = (power - 1) * np.log(relative)
    ridge = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        solution = _newton(rows.gram, log_target, power)
        if solution is None or not _far_apart(rows.gram):
            near = _Nearness(rows.gram)
            if solution is None or near.left(solution) < near.bound:
                ridge = _ridge(near, log_target, power)
                solution = _newton(_with_ridge(rows.gram, ridge), log_target, power)
    if solution is None:
        raise NotConverged
    return FairWeights(rows.spread(solution / relative * scale ** (-2 / (1 + power))), ridge > 0)


def _with_ridge(unit: Array, ridge: float) -> Array:
    return unit + ridge * np.eye(len(unit))


def _far_apart(unit: Array) -> bool:
    """Whether no combination of the rows is anywhere near zero, by Gershgorin's bound on the eigenvalues: cheap, and
    true of two rows that point neither alike nor apart."""
    return bool(np.abs(unit).sum(1).max() < 2 - 1e-3)


class _Nearness:
    """How near some combination of rows is to zero, and how near double precision can tell.

    In the eigenvectors of U, v has the parts y, and those that cancel are the large ones. What is left of their
    squared length is the mean of the eigenvalues under y^4: y^2 would count rows that take no part in it.
    """

    def __init__(self, unit: Array) -> None:
        self.unit = unit
        self.bound = len(unit) * RESOLUTION
        self._values, self._vectors = np.linalg.eigh(unit)

    def left(self, v: Array) -> float:
        parts = (v / v.max()) @ self._vectors
        weights = parts**4
        return float((self._values * weights).sum() / weights.sum())


def _ridge(near: _Nearness, log_target: Array, power: float) -> float:
    """What to add to the diagonal of U.

    The least ridge m that lifts what is left of v to the bound is found by m <- bound - left, since v hardly changes
    its direction. m / bound is then 0 where none is needed, and 1, but for rounding, where the rows cancel.
    """
    least = near.bound
    for _ in range(GUESSES):
        v = _newton(_with_ridge(near.unit, least), log_target, power)
        if v is None:
            return RIDGE
        following = min(max(near.bound - near.left(v), 0.0), near.bound)
        if abs(following - least) <= 1e-3 * near.bound:
            break
        least = following
    part = min(following / near.bound / (1 - SURE), 1.0)
    return float(following ** (1 - part) * RIDGE**part)


def _newton(unit: Array, log_target: Array, power: float) -> Array | None:
    """v [R], or None where it runs away or does not settle. Iterates on log v, so that v stays positive."""
    log_v = _start(unit, log_target, power)
    sizes, identity = np.abs(unit), np.eye(len(unit))
    to_polish = 3
    for _ in range(MAX_STEPS):
        v = np.exp(log_v)
        left, right = unit @ v, np.exp(np.minimum(np.maximum(log_target - power * log_v, -500.0), 500.0))
        if not v @ left > RESOLUTION / 4 * (v @ v):  # or not a number
            return None
        rounding = 2e-15 * (sizes @ v)
        allowed = np.maximum(TOLERANCE * right, rounding)
        if ((np.abs(left - right) <= allowed) | ((log_v == SMALLEST) & (left > right))).all():
            if not to_polish or (rounding <= POLISHED * right).all():
                return v
            to_polish -= 1
        try:
            log_v = np.maximum(log_v + np.log1p(_step(unit, identity, v, v * left, v * right, power)), SMALLEST)
        except np.linalg.LinAlgError:
            return None
    return None


def _start(unit: Array, log_target: Array, power: float) -> Array:
    """log v [R] of the solution for orthogonal rows, made as long as the sum of v_i times the equation asks: already
    the solution for two rows that have the same b, and for any that meet at equal angles."""
    log_v = log_target / (1 + power)
    v = np.exp(log_v)
    square = v @ (unit @ v)
    return log_v + np.log(v @ v / square) / (1 + power) if square > RESOLUTION * (v @ v) else log_v


def _step(unit: Array, identity: Array, v: Array, pull: Array, push: Array, power: float) -> Array:
    """Relative change of v [R], from a Newton step whose matrix is scaled to have a diagonal of at least 1."""
    damping = np.sqrt(power * push)
    scaled = v / damping
    matrix = scaled[:, None] * unit * scaled + identity
    step = np.linalg.solve(matrix, (push - pull) / damping) / damping
    if np.abs(step).max() < 0.1:
        return step
    kept = np.maximum(step, -LARGEST_LOSS)  # one v that is far too large must not hold up the others
    if kept @ (pull - push) < 0:
        step = kept
    change = v * step
    return step * _length(step, float(step @ pull), float(change @ (unit @ change)), push, power)


def _length(step: Array, slope: float, curvature: float, push: Array, power: float) -> float:
    """How far to go along the step: to the minimum of the convex function, unless some v loses too much before."""
    rise = push * step

    def derivative(length: float) -> float:
        return slope + length * curvature - float((rise * (1 + length * step) ** -power).sum())

    limit = LARGEST_LOSS / max(-step.min(), 1e-3)
    low, high = 0.0, min(1.0, limit)
    while (rises := derivative(high)) < 0 and high < limit:
        low, high = high, min(2 * high, limit)
    if rises <= 0:
        return high
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (low, middle) if derivative(middle) > 0 else (middle, high)
    return (low + high) / 2
