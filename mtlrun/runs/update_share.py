"""Dominance: how much of a step's update each task is responsible for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


ROUNDING = 1e-6
"""Of the squared length that the update would have if no two gradients opposed each other: below that it is noise."""


def update_share(weights_T: Array, norms_T: Array, cosines_TT: Array) -> Array:
    """Share of each task in the squared length of the weighted sum of gradients, d = sum_t w_t g_t.

    share_t = <w_t g_t, d> / <d, d> = w_t n_t sum_u w_u n_u cos_tu / total. The shares sum to 1; a task
    against which the others pull the update has a negative one.

    Args:
        weights_T: [T] task weights.
        norms_T: [T] gradient norms on the shared parameters.
        cosines_TT: [T, T] symmetric, cosines between those gradients; the diagonal is taken to be 1.

    Returns:
        [T]; NaN throughout if the update is zero, up to rounding, or any value is not finite.
    """
    parts_T = update_parts(weights_T, norms_T, cosines_TT)
    return parts_T / parts_T.sum()


def update_parts(weights_T: Array, norms_T: Array, cosines_TT: Array) -> Array:
    """<w_t g_t, d> of each task, [T], which sum to <d, d>; arguments and NaN as for `update_share`.

    Over several steps, shares are ratios of sums of these: a step in which the gradients all but cancel, whose shares
    are large and mean nothing, then weighs as little as it moves the network.
    """
    cosines_TT = cosines_TT.copy()
    np.fill_diagonal(cosines_TT, 1.0)
    scaled_T = weights_T * norms_T
    parts_T = scaled_T * (cosines_TT @ scaled_T)
    total = parts_T.sum()
    noise = max(ROUNDING * np.abs(scaled_T).sum() ** 2, np.finfo(np.float64).tiny)
    if not np.isfinite(total) or total <= noise:
        return np.full_like(parts_T, np.nan)
    return parts_T
