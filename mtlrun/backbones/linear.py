"""Linear layers: the networks that the theory of shared representations speaks of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.weights import load_weights
from mtlrun.options import whole_numbers
from mtlrun.types import Feature


class Linear(Backbone):
    """Stages layer1, layer2, ...: linear maps without offset or activation. Vectors [B, width].

    With a linear head the network is a linear function of its inputs whatever the depth; the narrowest layer bounds
    the dimension of the space that all tasks' functions lie in (Wu, Zhang & Re 2020, arXiv:2005.00944, Section 2).

    Args:
        input_shape: (D,), or any other shape, which is flattened.
        hidden: units of each layer.
        weights: file of a state dict to start from.

    Raises:
        ConfigError: if an option is none of these.
    """

    def __init__(self, input_shape: Sequence[int], hidden: Sequence[int] = (1,), weights: str | None = None) -> None:
        widths = [prod(input_shape), *whole_numbers("backbone.hidden", hidden, "[64,128]")]
        stages = {f"layer{index}": _layer(*pair) for index, pair in enumerate(pairwise(widths), start=1)}
        features = [Feature(name, width, None) for name, width in zip(stages, widths[1:])]
        super().__init__(stages, features, fixed_size=True)
        load_weights(self, weights)


def _layer(inputs: int, outputs: int) -> nn.Sequential:
    """Flattening leaves vectors as they are."""
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), linear=nn.Linear(inputs, outputs, bias=False)))
