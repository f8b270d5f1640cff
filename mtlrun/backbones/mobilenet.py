"""torchvision's MobileNetV3 as stages."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torchvision import models

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape, is_small
from mtlrun.backbones.torchvision_parts import first_layer, load_network, replace_norms
from mtlrun.errors import choose
from mtlrun.types import Feature

STRIDE = 32
"""Input pixels per pixel of the last map, with the usual stem."""

BUILD = {"large": models.mobilenet_v3_large, "small": models.mobilenet_v3_small}
STARTS = {"large": (0, 2, 4, 7, 13, 17), "small": (0, 1, 2, 4, 9, 13)}
"""Where each stage begins among torchvision's layers: at every one that halves the resolution; and their number."""


class MobileNet(Backbone):
    """Stages stem, stage1, stage2, stage3, stage4: maps [B, C, H, W] of strides 2, 4, 8, 16 and 32.

    Howard et al., "Searching for MobileNetV3", ICCV 2019, arXiv:1905.02244.

    Args:
        input_shape: (C, H, W); other H and W may follow.
        size: large or small.
        norm: batch or group.
        small_input: a stem of stride 1, so that all strides are halved; None for automatic: below 64 pixels.
        weights: file of a torchvision state dict to start from.

    Raises:
        ConfigError: if the rows are no images, an option is none of these, or the weights do not fit.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        size: str = "large",
        norm: str = "batch",
        small_input: bool | None = None,
        weights: str | None = None,
    ) -> None:
        image = image_shape(input_shape, "mobilenet_v3")
        small = is_small(image, STRIDE, small_input)
        network = BUILD[choose(size, BUILD, "backbone.size")](weights=None, num_classes=1)
        network.classifier = nn.Identity()
        layers = network.features
        layers[0][0] = first_layer(layers[0][0], image[0], 3 if small else None)
        replace_norms(network, norm)
        load_network(network, weights, "classifier.")
        bounds = [*zip(STARTS[size], STARTS[size][1:])]
        names = ["stem", *(f"stage{i}" for i in range(1, 5))]
        stages = {name: layers[first:after] for name, (first, after) in zip(names, bounds)}
        finest = 1 if small else 2
        features = [
            Feature(name, layers[after - 1].out_channels, finest << i)
            for i, (name, (_, after)) in enumerate(zip(names, bounds))
        ]
        super().__init__(stages, features)
