"""The last step from rows to network inputs: bytes become fractions, channels get mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Scaling:
    """Raw inputs [B, C, ...] to float32: divided by 255 if they are bytes, less `mean`, divided by `deviation`.

    Integers stay as they are unless there is a mean or a deviation.

    Args:
        dtype: of the raw inputs.
        dims: number of their dimensions.
        mean, deviation: per channel, after the division by 255; None for nothing.
    """

    def __init__(
        self, dtype: torch.dtype, dims: int, mean: Sequence[float] | None, deviation: Sequence[float] | None
    ) -> None:
        # In the units of the raw inputs, so that a uint8 batch takes one conversion and two in-place passes.
        unit = 255.0 if dtype == torch.uint8 else 1.0
        shape = (-1, *[1] * (dims - 2))
        self._shift = None if mean is None else (torch.tensor(mean) * unit).view(shape)
        nothing = deviation is None and unit == 1.0
        self._factor = None if nothing else (1 / (torch.tensor(deviation or [1.0]) * unit)).view(shape)

    def __call__(self, inputs: Tensor) -> Tensor:
        if self._shift is None and self._factor is None:
            return inputs.to(torch.float32) if inputs.is_floating_point() else inputs
        prepared = inputs.to(torch.float32, copy=True)
        if self._shift is not None:
            self._shift = self._shift.to(inputs.device)  # stays there: no copy in later steps
            prepared.sub_(self._shift)
        if self._factor is not None:
            self._factor = self._factor.to(inputs.device)
            prepared.mul_(self._factor)
        return prepared
