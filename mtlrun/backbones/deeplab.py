"""A ResNet-50 that keeps its resolution, with DeepLabV3's pyramid of dilated convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torchvision import models
from torchvision.models.segmentation.deeplabv3 import ASPP

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape, is_small
from mtlrun.backbones.resnet import stem
from mtlrun.backbones.torchvision_parts import replace_norms
from mtlrun.backbones.weights import load_weights
from mtlrun.types import Feature

STRIDE = 8
"""Input pixels per pixel of the last map, with the usual stem."""

RATES = (12, 24, 36)
"""Pixels between the weights of the pyramid's dilated 3x3 convolutions."""


class DeepLab(Backbone):
    """Stages stem, layer1, layer2, layer3, layer4 and aspp: maps [B, C, H, W], the last of 256 channels and stride 8.

    Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017, arXiv:1706.05587, as torchvision
    builds it: layer3 and layer4 of ResNet-50 are dilated instead of strided. `sharing.split=layer4` gives each task a
    pyramid of its own, as the DeepLabV3+ baseline of LibMTL does. Heads (`MapHead`) do the rest.

    Args:
        input_shape: (C, H, W); other H and W may follow.
        norm: batch or group.
        small_input: a 3x3 stem of stride 1 without max-pooling, so that the last map has stride 2; None for automatic:
            below 16 pixels.
        weights: file of a torchvision state dict of ResNet-50 to start from; the pyramid starts afresh.

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
        image = image_shape(input_shape, "deeplab_resnet50")
        small = is_small(image, STRIDE, small_input)
        network = models.resnet50(weights=None, num_classes=1, replace_stride_with_dilation=[False, True, True])
        pyramid = ASPP(network.fc.in_features, RATES)
        for part in (network, pyramid):
            replace_norms(part, norm)
        stages: dict[str, nn.Module] = {"stem": stem(network, image[0], small)}
        stages |= {f"layer{i}": getattr(network, f"layer{i}") for i in range(1, 5)}
        finest = 1 if small else 4
        strides = (finest, finest, 2 * finest, 2 * finest, 2 * finest)
        features = [
            Feature(name, width, stride) for name, width, stride in zip(stages, (64, 256, 512, 1024, 2048), strides)
        ]
        load_weights(Backbone(stages, features), weights)
        super().__init__({**stages, "aspp": pyramid}, [*features, Feature("aspp", 256, 2 * finest)])
