"""The nine-layer network that FAMO trains on CelebA."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape
from mtlrun.backbones.norms import BatchNorm1d, BatchNorm2d
from mtlrun.backbones.weights import load_weights
from mtlrun.types import Feature

CHANNELS = (64, 128, 128, 256, 256, 512, 512)
POOLED = (0, 2, 4)
"""Convolutions that a max-pooling follows, counted from 0."""
WIDTH = 512


class CelebACNN(Backbone):
    """Stages conv1 to conv7: maps; fc1 and fc2: vectors [B, 512].

    Liu et al., "FAMO", NeurIPS 2023, arXiv:2306.03792, experiments/celeba of the authors' code: convolutions of 3 x 3
    with batch norm and ReLU, pooling after the first, third and fifth, the mean over the pixels, then two layers with
    batch norm and ReLU; no biases, since a normalisation follows each layer. 5,176,640 parameters for three channels,
    5,197,160 with forty linear heads.

    Args:
        input_shape: (C, H, W); other H and W may follow.
        weights: file of a state dict to start from.

    Raises:
        ConfigError: if the rows are no images of 8 x 8 pixels or more.
    """

    def __init__(self, input_shape: Sequence[int], weights: str | None = None) -> None:
        inputs, _, _ = image_shape(input_shape, "celeba_cnn", 8)
        stages: dict[str, nn.Module] = {}
        features, stride = [], 1
        for index, (before, after) in enumerate(pairwise([inputs, *CHANNELS])):
            stage = nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1, bias=False), BatchNorm2d(after), nn.ReLU(inplace=True)
            )
            if index in POOLED:
                stage.append(nn.MaxPool2d(2, ceil_mode=True))
                stride *= 2
            name = f"conv{index + 1}"
            stages[name] = stage
            features.append(Feature(name, after, stride))
        stages["fc1"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *_layer(CHANNELS[-1], WIDTH))
        stages["fc2"] = nn.Sequential(*_layer(WIDTH, WIDTH))
        super().__init__(stages, [*features, Feature("fc1", WIDTH, None), Feature("fc2", WIDTH, None)])
        load_weights(self, weights)


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs, bias=False), BatchNorm1d(outputs), nn.ReLU(inplace=True)
