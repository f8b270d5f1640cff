"""torchvision's DenseNet-121 as stages."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn
from torchvision import models

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape, is_small
from mtlrun.backbones.torchvision_parts import first_layer, load_network, replace_norms
from mtlrun.types import Feature

STRIDE = 32
"""Input pixels per pixel of the last map, with the usual stem."""


class DenseNet(Backbone):
    """Stages stem, block1, block2, block3, block4: maps [B, C, H, W] of 64, 256, 512, 1024 and 1024 channels.

    Huang et al., "Densely Connected Convolutional Networks", CVPR 2017, arXiv:1608.06993. Each block begins with the
    transition before it; the last one ends with the network's last norm and ReLU. Deviation: transitions round odd
    sides up, where torchvision rounds down.

    Args:
        input_shape: (C, H, W); other H and W may follow.
        norm: batch or group.
        small_input: a 3x3 stem of stride 1 without max-pooling, so that the last map has 1/8 of the input's
            resolution instead of 1/32; None for automatic: below 64 pixels.
        weights: file of a torchvision state dict to start from, of any age.

    Raises:
        ConfigError: if the rows are no images, an option is none of these, or the weights do not fit.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        norm: str = "batch",
        small_input: bool | None = None,
        weights: str | None = None,
    ) -> None:
        image = image_shape(input_shape, "densenet121")
        small = is_small(image, STRIDE, small_input)
        network = models.densenet121(weights=None, num_classes=1)
        network.classifier = nn.Identity()
        parts = network.features
        parts.conv0 = first_layer(parts.conv0, image[0], 3 if small else None)
        replace_norms(network, norm)
        load_network(network, weights, "classifier.", _modern_name)
        names = {"stem": ["conv0", "norm0", "relu0"] + ([] if small else ["pool0"]), "block1": ["denseblock1"]}
        names |= {f"block{i}": [f"transition{i - 1}", f"denseblock{i}"] for i in (2, 3, 4)}
        names["block4"].append("norm5")
        stages = {
            name: nn.Sequential(OrderedDict((i, parts.get_submodule(i)) for i in inner))
            for name, inner in names.items()
        }
        stages["block4"].add_module("relu5", nn.ReLU(inplace=True))
        for i in (1, 2, 3):
            parts.get_submodule(f"transition{i}").pool.ceil_mode = True
        finest = 1 if small else 4
        features = [Feature("stem", 64, finest), Feature("block1", 256, finest), Feature("block2", 512, 2 * finest)]
        features += [Feature("block3", 1024, 4 * finest), Feature("block4", 1024, 8 * finest)]
        super().__init__(stages, features)


def _modern_name(name: str) -> str:
    """Files from before 2018 have a dot within norm1, conv1, norm2 and conv2."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", name)
