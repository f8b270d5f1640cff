"""Mean and deviation of images per channel, as TensorSource takes them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array

ROUNDING = 1e-12  # relative error of a float64 mean over very many values
BYTES = 256


def channel_statistics(images: Tensor) -> tuple[list[float], list[float]]:
    """Mean of each channel of [N, C, H, W], and what to divide it by; of uint8 after division by 255."""
    of_channel = _of_bytes if images.dtype == torch.uint8 else _of_floats
    pairs = [of_channel(channel) for channel in images.unbind(1)]
    return [mean for mean, _ in pairs], [divisor(mean, deviation) for mean, deviation in pairs]


def divisor(mean: float, deviation: float) -> float:
    """The deviation, or 1 where it is nothing but rounding: what is constant in training stays unscaled."""
    return deviation if deviation > ROUNDING * abs(mean) else 1.0


class Moments:
    """Mean and deviation per column, or channel, of rows that come in parts.

    Parts are merged as in Chan, Golub & LeVeque, "Algorithms for computing the sample variance" (1983), in float64:
    no sum of squares is taken that is large beside the deviation.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean: Array = np.zeros(1)
        self._squares: Array = np.zeros(1)
        """Of the distances from the mean, summed."""

    def add(self, values: Array) -> None:
        """Rows [n, D] or [n, C, H, W]."""
        axes = (0, *range(2, values.ndim))
        count = values.size // values.shape[1]
        if not count:
            return
        exact = values.astype(np.float64)
        mean = exact.mean(axes)
        exact -= mean.reshape(-1, *[1] * (values.ndim - 2))
        apart, total = mean - self._mean, self._count + count
        self._squares = self._squares + (exact**2).sum(axes) + apart**2 * (self._count * count / total)
        self._mean = self._mean + apart * (count / total)
        self._count = total

    def result(self) -> tuple[list[float], list[float]]:
        """As `channel_statistics`."""
        deviations = np.sqrt(self._squares / self._count)
        return self._mean.tolist(), [divisor(*pair) for pair in zip(self._mean.tolist(), deviations.tolist())]


class ByteCounts:
    """The same of images of bytes, after division by 255: exact, however many parts they come in."""

    def __init__(self, channels: int) -> None:
        self._counts = torch.zeros(channels, BYTES, dtype=torch.int64)

    def add(self, values: Array) -> None:
        """Rows uint8 [n, C, H, W]."""
        for counts, channel in zip(self._counts, np.moveaxis(values, 1, 0)):
            counts += torch.from_numpy(np.bincount(channel.ravel(), minlength=BYTES))

    def result(self) -> tuple[list[float], list[float]]:
        """As `channel_statistics`."""
        pairs = [_of_counts(counts) for counts in self._counts]
        return [mean for mean, _ in pairs], [divisor(mean, deviation) for mean, deviation in pairs]


def _of_bytes(channel: Tensor) -> tuple[float, float]:
    # A histogram is exact, and never holds the images as floats.
    return _of_counts(torch.bincount(channel.flatten(), minlength=BYTES))


def _of_counts(counts: Tensor) -> tuple[float, float]:
    """Of bytes that occur so often, int64 [256]."""
    shares = counts.double() / counts.sum()
    values = torch.arange(BYTES, dtype=torch.float64) / 255
    mean = (shares * values).sum()
    return mean.item(), (shares * (values - mean) ** 2).sum().sqrt().item()


def _of_floats(channel: Tensor) -> tuple[float, float]:
    deviation, mean = torch.std_mean(channel.double(), correction=0)
    return mean.item(), deviation.item()
