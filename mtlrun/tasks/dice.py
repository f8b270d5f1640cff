"""Soft Dice loss for thin and rare classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def dice_loss(logits: Tensor, target: Tensor, ignored: int) -> Tensor:
    """1 - mean soft Dice over the classes that a row shows, [n]; 0 for a row without valid pixels.

    Milletari et al., V-Net, 3DV 2016. Deviations: plain sums instead of squares in the denominator, one pixel
    added to numerator and denominator, per row, and classes that the row does not show are left to the
    cross-entropy.

    Args:
        logits: [n, K, H, W].
        target: int64 [n, H, W].
        ignored: label of pixels that do not count.
    """
    valid = (target != ignored).unsqueeze(1)
    truth = one_hot(torch.where(valid[:, 0], target, 0), logits.shape[1]).permute(0, 3, 1, 2) * valid
    chance = logits.softmax(1) * valid
    size = truth.sum((2, 3))
    dice = (2 * (chance * truth).sum((2, 3)) + 1) / (chance.sum((2, 3)) + size + 1)
    shown = size > 0
    return ((1 - dice) * shown).sum(1) / shown.sum(1).clamp_min(1)
