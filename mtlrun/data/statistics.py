"""Mean and deviation of images per channel, as TensorSource takes them."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 1e-12  # relative error of a float64 mean over very many values


def channel_statistics(images: Tensor) -> tuple[list[float], list[float]]:
    """Mean of each channel of [N, C, H, W], and what to divide it by; of uint8 after division by 255."""
    of_channel = _of_bytes if images.dtype == torch.uint8 else _of_floats
    pairs = [of_channel(channel) for channel in images.unbind(1)]
    return [mean for mean, _ in pairs], [divisor(mean, deviation) for mean, deviation in pairs]


def divisor(mean: float, deviation: float) -> float:
    """The deviation, or 1 where it is nothing but rounding: what is constant in training stays unscaled."""
    return deviation if deviation > ROUNDING * abs(mean) else 1.0


def _of_bytes(channel: Tensor) -> tuple[float, float]:
    # A histogram is exact, and never holds the images as floats.
    shares = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (shares * values).sum()
    return mean.item(), (shares * (values - mean) ** 2).sum().sqrt().item()


def _of_floats(channel: Tensor) -> tuple[float, float]:
    deviation, mean = torch.std_mean(channel.double(), correction=0)
    return mean.item(), deviation.item()
