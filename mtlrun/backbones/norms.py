"""Normalisation layers by the name of a backbone's `norm` option."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtlrun.errors import choose

NormFactory = Callable[[int], nn.Module]
"""Channels -> layer."""


class _LoneRowBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Falls back on the running statistics where a batch has one value per channel.

    A source or task with few labels can put a single row into a step. PyTorch refuses to train on it, since
    one value has no deviation; for that step the layer normalises as it does in evaluation.
    """

    def forward(self, values: Tensor) -> Tensor:
        """values: [B, C] or [B, C, H, W]; the same shape out."""
        if self.training and values.numel() == values.shape[1]:
            return functional.batch_norm(
                values, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(values)


class BatchNorm1d(_LoneRowBatchNorm, nn.BatchNorm1d):
    """Batch normalisation of vectors [B, C] that copes with a single row. Ioffe & Szegedy (2015)."""


class BatchNorm2d(_LoneRowBatchNorm, nn.BatchNorm2d):
    """Batch normalisation of maps [B, C, H, W] that copes with a single value per channel."""


class GroupNorm(nn.GroupNorm):
    """Group normalisation that copes with a lone row of one pixel, where a group can be a single value.

    torch.nn refuses it as if deviations were taken over the batch.
    """

    def forward(self, values: Tensor) -> Tensor:
        """values: [B, C, H, W]; the same shape out."""
        return torch.group_norm(values, self.num_groups, self.weight, self.bias, self.eps)


def group_norm(channels: int) -> nn.GroupNorm:
    """Wu & He (2018) with their 32 groups, or as many as divide both 32 and `channels`."""
    return GroupNorm(gcd(32, channels), channels)


def no_norm(channels: int) -> nn.Module:
    """Leaves values as they are."""
    return nn.Identity()


VECTOR_NORMS: dict[str, NormFactory] = {"batch": BatchNorm1d, "layer": nn.LayerNorm, "none": no_norm}
MAP_NORMS: dict[str, NormFactory] = {"batch": BatchNorm2d, "group": group_norm, "none": no_norm}


def vector_norm(norm: str) -> NormFactory:
    """The layer for vectors [B, C]; ConfigError lists the choices."""
    return VECTOR_NORMS[choose(norm, VECTOR_NORMS, "backbone.norm")]


def map_norm(norm: str) -> NormFactory:
    """The layer for maps [B, C, H, W]; ConfigError lists the choices."""
    return MAP_NORMS[choose(norm, MAP_NORMS, "backbone.norm")]
