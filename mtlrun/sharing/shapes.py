"""Layers and views that serve vectors [n, C] and maps [n, C, H, W] alike."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mtlrun.backbones.norms import BatchNorm1d, BatchNorm2d
from mtlrun.types import Feature


def pointwise(inputs: int, outputs: int, feature: Feature, bias: bool = True) -> nn.Linear | nn.Conv2d:
    """A linear layer over channels, the same at every pixel: for values of the kind that `feature` is."""
    if feature.stride is None:
        return nn.Linear(inputs, outputs, bias)
    return nn.Conv2d(inputs, outputs, 1, bias=bias)


def batch_norm(channels: int, feature: Feature) -> nn.Module:
    """Batch normalisation for values of the kind that `feature` is."""
    return BatchNorm1d(channels) if feature.stride is None else BatchNorm2d(channels)


def changed(values: Tensor, feature: Feature, change: Callable[[Tensor], Tensor]) -> Tensor:
    """A stage's output after a change to its features; what it carries beside them stays as it is."""
    return carrying(change(values[:, : feature.channels]), values, feature)


def carrying(values: Tensor, output: Tensor, feature: Feature) -> Tensor:
    """Features in place of those of a stage's output, beside what that output carries."""
    return torch.cat([values, output[:, feature.channels :]], 1) if feature.carried else values


def pooled(values: Tensor) -> Tensor:
    """[n, C]: vectors as they are, maps averaged over their pixels."""
    return values if values.dim() == 2 else values.flatten(2).mean(2)


def per_channel(numbers: Tensor, like: Tensor) -> Tensor:
    """Numbers [C], or [n, C], shaped and typed to be combined with `like` [n, C] or [n, C, H, W]."""
    return numbers.reshape(*numbers.shape, *[1] * (like.dim() - 2)).to(like.dtype)
