"""torchvision's ConvNeXt-Tiny as stages."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torchvision import models
from torchvision.models.convnext import ConvNeXt as Torchvision

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape, is_small
from mtlrun.backbones.torchvision_parts import PadTo, doubling_features, first_layer, load_network
from mtlrun.options import below

STRIDE = 32
"""Input pixels per pixel of the last map, with the usual stem."""


class ConvNeXt(Backbone):
    """Stages stem, stage1, stage2, stage3, stage4: maps [B, C, H, W] of 96, 96, 192, 384 and 768 channels.

    Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545. Deviations: odd sides are padded, where
    torchvision drops the last pixel; the layer norm between the last stage and the classifier is left out.

    Args:
        input_shape: (C, H, W); other H and W may follow.
        drop_path: probability of skipping the last block, in [0, 1); earlier blocks have less.
        small_input: a 3x3 stem of stride 1, so that the last map has 1/8 of the input's resolution instead of 1/32;
            None for automatic: below 64 pixels.
        weights: file of a torchvision state dict to start from.

    Raises:
        ConfigError: if the rows are no images, an option is out of range, or the weights do not fit.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        drop_path: float = 0.1,
        small_input: bool | None = None,
        weights: str | None = None,
    ) -> None:
        image = image_shape(input_shape, "convnext_tiny")
        small = is_small(image, STRIDE, small_input)
        network = build(below("backbone.drop_path", drop_path, 0, 1))
        network.classifier = nn.Identity()
        stem, *parts = network.features
        stem[0] = first_layer(stem[0], image[0], 3 if small else None)
        load_network(network, weights, "classifier.")
        stages = {"stem": stem if small else nn.Sequential(PadTo(4), stem), "stage1": parts[0]}
        for i, (down, blocks) in enumerate(zip(parts[1::2], parts[2::2]), start=2):
            stages[f"stage{i}"] = nn.Sequential(down[0], PadTo(2), down[1], blocks)
        super().__init__(stages, doubling_features(stem[0].out_channels, 1 if small else 4))


def build(drop_path: float) -> Torchvision:
    """The whole network, freshly initialised."""
    return models.convnext_tiny(weights=None, stochastic_depth_prob=drop_path, num_classes=1)
