"""A network that is nothing but its parameters: a point that objectives are functions of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.weights import load_weights
from mtlrun.options import numbers
from mtlrun.types import Feature


class Point(Backbone):
    """One stage, `point`: the D parameters themselves for every row, whatever the input. Vectors [B, D].

    Args:
        input_shape: of a row; not looked at.
        start: the parameters' first values.
        weights: file of a state dict to start from instead.

    Raises:
        ConfigError: if `start` is no list of finite numbers.
    """

    def __init__(
        self, input_shape: Sequence[int], start: Sequence[float] = (-8.5, 7.5), weights: str | None = None
    ) -> None:
        start = numbers("backbone.start", start, "[-8.5,7.5]")
        super().__init__({"point": Coordinates(start)}, [Feature("point", len(start), None)])
        load_weights(self, weights)


class Coordinates(nn.Module):
    """The same D parameters for each row: [B, ...] -> [B, D]."""

    def __init__(self, start: Sequence[float]) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor(start, dtype=torch.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.values.expand(inputs.shape[0], -1)
