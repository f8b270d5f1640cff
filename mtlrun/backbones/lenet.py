"""The LeNet that Sener & Koltun (2018) train on MultiMNIST."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape
from mtlrun.backbones.weights import load_weights
from mtlrun.options import below
from mtlrun.types import Feature

SMALLEST = 16
"""Least height and width: 16 pixels leave a single one after both convolutions and poolings."""


class LeNet(Backbone):
    """Stages conv1 [B, 10, H, W] and conv2 [B, 20, H, W] (5x5 convolution, max-pool, ReLU) and fc [B, 50].

    Sener & Koltun, "Multi-Task Learning as Multi-Objective Optimization", NeurIPS 2018, supplement: 21,330
    parameters for 1 x 28 x 28 pixels. Deviation: their dropout of conv2's channels is off by default.

    Args:
        input_shape: (C, H, W); H and W are then fixed.
        dropout: probability of dropping a whole channel of conv2, in [0, 1).
        weights: file of a state dict to start from.

    Raises:
        ConfigError: if the rows are no images of 16 x 16 pixels or more, or an option is out of range.
    """

    def __init__(self, input_shape: Sequence[int], dropout: float = 0.0, weights: str | None = None) -> None:
        channels, height, width = image_shape(input_shape, "lenet", SMALLEST)
        pixels = _side(height) * _side(width)
        conv2 = _convolution(10, 20)
        if below("backbone.dropout", dropout, 0, 1):
            # A dropped channel is zero before as well as after pooling and ReLU, so it may as well come last.
            conv2.append(nn.Dropout2d(dropout))
        fc = OrderedDict(flatten=nn.Flatten(), linear=nn.Linear(20 * pixels, 50), relu=nn.ReLU(inplace=True))
        stages = {"conv1": _convolution(channels, 10), "conv2": conv2, "fc": nn.Sequential(fc)}
        features = [Feature("conv1", 10, 2), Feature("conv2", 20, 4), Feature("fc", 50, None)]
        super().__init__(stages, features, fixed_size=True)
        load_weights(self, weights)


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(inputs, outputs, 5), pool=nn.MaxPool2d(2), relu=nn.ReLU(inplace=True))
    )


def _side(pixels: int) -> int:
    """Pixels that both stages leave of a side: each takes 4 by convolution, then halves by pooling."""
    return ((pixels - 4) // 2 - 4) // 2
