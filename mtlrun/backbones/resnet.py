"""torchvision's residual networks as stages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn
from torchvision import models
from torchvision.models.resnet import ResNet as Torchvision

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape, is_small
from mtlrun.backbones.norms import map_norm
from mtlrun.backbones.weights import load_weights
from mtlrun.errors import choose
from mtlrun.types import Feature

DEPTHS = {"18": models.resnet18, "34": models.resnet34, "50": models.resnet50}
STRIDE = 32
"""Input pixels per pixel of the last map, with the usual stem."""


class ResNet(Backbone):
    """Stages stem, layer1, layer2, layer3, layer4: maps [B, C, H, W].

    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; depth 50 strides in the 3x3
    convolutions, as torchvision does. Split after layer3, ResNet-50 shares 40 layers and gives each task 10.

    Args:
        input_shape: (C, H, W); other H and W may follow.
        depth: 18, 34 or 50.
        norm: batch or group.
        small_input: a 3x3 stem of stride 1 without max-pooling, so that the last map has 1/8 of the input's
            resolution instead of 1/32; None for automatic: below 64 pixels.
        weights: file of a torchvision state dict to start from.

    Raises:
        ConfigError: if the rows are no images, an option is none of these, or the weights do not fit.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        depth: int = 18,
        norm: str = "batch",
        small_input: bool | None = None,
        weights: str | None = None,
    ) -> None:
        image = image_shape(input_shape, "resnet")
        small = is_small(image, STRIDE, small_input)
        build = DEPTHS[choose(str(depth), DEPTHS, "backbone.depth")]
        choose(norm, ["batch", "group"], "backbone.norm of a resnet")
        network = build(weights=None, num_classes=1, norm_layer=map_norm(norm))
        stages = {"stem": stem(network, image[0], small)}
        stages |= {f"layer{i}": getattr(network, f"layer{i}") for i in range(1, 5)}
        finest = 1 if small else 4
        widest = network.fc.in_features  # channels of layer4
        features = [Feature("stem", 64, finest)]
        features += [Feature(f"layer{i}", widest >> (4 - i), finest << (i - 1)) for i in range(1, 5)]
        super().__init__(stages, features)
        load_weights(self, weights)


def stem(network: Torchvision, channels: int, small: bool) -> nn.Sequential:
    """The layers before layer1, under torchvision's names."""
    conv1 = network.conv1
    if small or channels != conv1.in_channels:
        kernel, stride = (3, 1) if small else (7, 2)
        conv1 = nn.Conv2d(channels, 64, kernel, stride, padding=kernel // 2, bias=False)
        nn.init.kaiming_normal_(conv1.weight, mode="fan_out", nonlinearity="relu")  # as all others were
    layers = OrderedDict[str, nn.Module](conv1=conv1, bn1=network.bn1, relu=network.relu)
    if not small:
        layers["maxpool"] = network.maxpool
    return nn.Sequential(layers)
