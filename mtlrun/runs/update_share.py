"""Dominance: how much of a step's update each task is responsible for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def update_share(weights_T: Array, norms_T: Array, cosines_TT: Array) -> Array:
    """Share of each task in the squared length of the weighted sum of gradients, d = sum_t w_t g_t.

    share_t = <w_t g_t, d> / <d, d> = w_t n_t sum_u w_u n_u cos_tu / total. The shares sum to 1; a task
    against which the others pull the update has a negative one.

    Args:
        weights_T: [T] task weights.
        norms_T: [T] gradient norms on the shared parameters.
        cosines_TT: [T, T] symmetric, cosines between those gradients; the diagonal is taken to be 1.

    Returns:
        [T]; NaN throughout if the update is zero or any value is not finite.
    """
    cosines_TT = cosines_TT.copy()
    np.fill_diagonal(cosines_TT, 1.0)
    scaled_T = weights_T * norms_T
    parts_T = scaled_T * (cosines_TT @ scaled_T)
    total = parts_T.sum()
    if not np.isfinite(total) or total <= np.finfo(np.float64).tiny:
        return np.full_like(parts_T, np.nan)
    return parts_T / total
