"""Users' inputs as the networks take them: vectors [N, D] or images [N, C, H, W]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.statistics import channel_statistics, divisor
from mtlrun.errors import DataError, choose

MOST_CHANNELS = 4  # of an image whose channel order is guessed
ORDERS = ("auto", "first", "last")


def with_channels(name: str, values: Array, channels: str) -> Array:
    """Inputs [N], [N, D], [N, H, W], [N, C, H, W] or [N, H, W, C] as [N, D] or [N, C, H, W].

    Args:
        name: of the array, for messages.
        values: numbers or truth values.
        channels: where the channels of 4-dimensional inputs are: 'first', 'last', or 'auto': last if the last
            dimension is 1 to 4 and the second is more, else first.

    Raises:
        ConfigError: if `channels` is something else.
        DataError: if the inputs have no columns, or more than four dimensions.
    """
    choose(channels, ORDERS, "data.channels")
    if values.ndim > 4 or 0 in values.shape[1:]:
        raise DataError(
            f"'{name}' should be vectors [N, D] or images [N, H, W], [N, C, H, W] or [N, H, W, C], "
            f"found shape {list(values.shape)}"
        )
    if values.ndim in (1, 3):
        return values[:, None]
    if values.ndim == 4 and channels_last(values.shape, channels):
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))
    return values


def channels_last(shape: tuple[int, ...], channels: str) -> bool:
    """Whether images of this 4-dimensional shape have their channels last."""
    if channels == "auto":
        return shape[3] <= MOST_CHANNELS < shape[1]
    return channels == "last"


def check_finite(name: str, values: Array) -> None:
    """Raise DataError where inputs are not finite in float32, naming the first such row."""
    refuse_rows(name, not_finite(values))


def not_finite(values: Array) -> Array:
    """Which rows have numbers that are not finite in float32, bool [N]."""
    if values.dtype.kind != "f":
        return np.zeros(len(values), dtype=bool)
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32, copy=False)).reshape(len(values), -1)
    return np.logical_not(finite.all(1))


def refuse_rows(name: str, bad: Array) -> None:
    """Raise DataError where `not_finite` has found rows, bool [N]."""
    if bad.any():
        raise DataError(
            f"'{name}' has NaN or infinite values in {bad.sum()} of {len(bad)} rows, the first in row "
            f"{bad.argmax() + 1}: fill or drop them (only labels may be missing; from 3.4e38 on numbers are infinite "
            "in float32)"
        )


class Inputs:
    """Inputs of all rows, scaled by what the training rows alone say.

    `values` are uint8 or float32; `mean` and `std` per channel are still to be applied, None for nothing; `early` are
    those per column that were.

    Args:
        values: finite [N, D] or [N, C, H, W].
        train: the training rows.
        standardise: whether each column, or each channel of images, gets mean 0 and deviation 1.
    """

    def __init__(self, values: Array, train: Tensor, standardise: bool) -> None:
        self.mean: list[float] | None = None
        self.std: list[float] | None = None
        self.early: tuple[list[float], list[float]] | None = None
        if values.ndim == 2:
            if standardise:
                self.early = column_statistics(values, train.numpy())
                values = scaled(values, *self.early)
            self.values = torch.from_numpy(values.astype(np.float32))
            return
        self.values = torch.from_numpy(values if values.dtype == np.uint8 else values.astype(np.float32))
        if standardise:
            self.mean, self.std = channel_statistics(self.values[train])


def column_statistics(values: Array, train: Array) -> tuple[list[float], list[float]]:
    """Mean of each column over the training rows, and what to divide it by; constant columns become 0."""
    exact = values.astype(np.float64)
    means, deviations = exact[train].mean(0), exact[train].std(0)
    return means.tolist(), [float(divisor(mean, deviation)) for mean, deviation in zip(means, deviations)]


def scaled(values: Array, means: Sequence[float], divisors: Sequence[float]) -> Array:
    """Columns less their means, divided.

    In float64, so that large numbers that vary little (such as dates in seconds) keep their differences.
    """
    return (values.astype(np.float64) - np.array(means)) / np.array(divisors)
