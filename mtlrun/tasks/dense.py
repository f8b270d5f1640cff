"""Heads that put out a map per row, from every feature map of the backbone."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from torch import Tensor, nn
from torch.nn.functional import interpolate

from mtlrun.errors import ConfigError
from mtlrun.types import Feature

Size = tuple[int, int]
"""Height and width in pixels."""


def image_size(task: str, features: Sequence[Feature], input_shape: tuple[int, ...]) -> Size:
    """(H, W) of the input.

    Raises:
        ConfigError: if the input is no image, or no stage of the backbone puts out a map.
    """
    if len(input_shape) != 3:
        raise ConfigError(f"task '{task}' predicts per pixel and needs images (C, H, W), found inputs {input_shape}")
    if all(feature.stride is None for feature in features):
        stages = ", ".join(feature.name for feature in features)
        raise ConfigError(
            f"task '{task}' predicts per pixel, but this backbone's stages ({stages}) put out vectors: "
            "choose backbone=cnn or backbone=resnet18"
        )
    return input_shape[1], input_shape[2]


def resize(maps: Tensor, size: Size) -> Tensor:
    """Bilinear to (H, W); untouched if the size is right."""
    return maps if maps.shape[-2:] == size else interpolate(maps, size, mode="bilinear", align_corners=False)


def conv_block(width: int, outputs: int) -> nn.Sequential:
    """3x3 convolution, group norm (a row's loss must not depend on the other rows), ReLU, 1x1 convolution."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.GroupNorm(gcd(width, 8), width),
        nn.ReLU(),
        nn.Conv2d(width, outputs, 1),
    )


class FeaturePyramid(nn.Module):
    """Sums the feature maps from coarse to fine, each brought to `width` channels: -> [n, width, h, w].

    Lin et al., Feature Pyramid Networks, CVPR 2017. Deviations: only the finest level is put out, and the 3x3
    convolution after it belongs to the head.

    Args:
        features: what the stages put out; vectors are skipped.
        width: channels of the sum.
        stride: finest level used, in input pixels per feature pixel; the coarsest map if all are finer.
    """

    def __init__(self, features: Sequence[Feature], width: int, stride: int) -> None:
        super().__init__()
        strides = {index: feature.stride for index, feature in enumerate(features) if feature.stride is not None}
        levels = [index for index, found in strides.items() if found >= stride]
        self.levels = sorted(levels or [max(strides, key=lambda index: (strides[index], index))], reverse=True)
        self.laterals = nn.ModuleList(nn.Conv2d(features[index].channels, width, 1) for index in self.levels)

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        merged: Tensor | None = None
        for index, lateral in zip(self.levels, self.laterals):
            level = lateral(outputs[index])
            merged = level if merged is None else level + interpolate(merged, level.shape[-2:], mode="nearest")
        assert merged is not None, "a pyramid has at least one level"
        return merged


class DenseHead(nn.Module):
    """Feature pyramid, 3x3 convolution and one score per class and input pixel: -> [n, outputs, H, W].

    Args:
        features: what the stages put out, with at least one map.
        size: (H, W) of the input.
        outputs: channels.
        width: channels of the pyramid.
        stride: finest level used; the scores are upsampled from there.
    """

    def __init__(self, features: Sequence[Feature], size: Size, outputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.size = size
        self.pyramid = FeaturePyramid(features, width, stride)
        self.classify = conv_block(width, outputs)

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        return resize(self.classify(self.pyramid(outputs)), self.size)
