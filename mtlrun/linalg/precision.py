"""Whether float32 holds numbers well enough to learn them."""

from __future__ import annotations

import torch
from torch import Tensor

SHARE = 1e-4
"""Rounding that no metric shows: this share of a column's deviation."""


def needs_double(values: Tensor) -> bool:
    """Whether float32 would round away what varies in a column, as in times in seconds since 1970.

    Args:
        values: [N] or [N, D], NaN for what is not known.
    """
    if values.dtype in (torch.float32, torch.float16, torch.bfloat16, torch.bool):
        return False
    exact_ND = values.double().reshape(len(values), -1)
    known_ND = ~exact_ND.isnan()
    count_D = known_ND.sum(0).clamp_min(1)
    mean_D = torch.where(known_ND, exact_ND, 0).sum(0) / count_D
    deviation_D = (torch.where(known_ND, exact_ND - mean_D, 0).square().sum(0) / count_D).sqrt()
    rounding_D = torch.where(known_ND, exact_ND - exact_ND.float().double(), 0).abs().amax(0)
    return bool((rounding_D > SHARE * deviation_D).any())
