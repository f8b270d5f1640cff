"""Small tensor helpers that the losses of several kinds share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def full_precision(values: Any) -> Any:
    """Half-precision tensors as float32; everything else as it is."""
    half = isinstance(values, Tensor) and values.dtype in (torch.float16, torch.bfloat16)
    return values.float() if half else values


def mean_present(values: Tensor, present: Tensor) -> Tensor:
    """Mean over each row's present entries, 0 if it has none: values [n, ...], bool [n, ...] -> [n].

    Absent values and their gradients are dropped, provided that they are finite.
    """
    kept = torch.where(present, values, 0).flatten(1).sum(1)
    return kept / present.flatten(1).sum(1).clamp_min(1)


class Constant:
    """A small tensor that is copied to each device once, so that no step waits for the copy."""

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self._copies: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """The tensor on `device`."""
        if device not in self._copies:
            self._copies[device] = self.values.to(device)
        return self._copies[device]
