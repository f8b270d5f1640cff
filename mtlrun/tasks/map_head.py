"""The head of the SegNet line of papers: two convolutions on the last feature map."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mtlrun.errors import ConfigError
from mtlrun.tasks.dense import resize
from mtlrun.types import Feature


class MapHead(nn.Module):
    """3x3 and 1x1 convolution on the last map, nothing between them, then bilinear to the input's size.

    As in the code of Liu et al., "End-to-End Multi-Task Learning with Attention", CVPR 2019, arXiv:1803.10704, and of
    the papers that use its benchmark; Xavier initialisation as there. For backbones that end in a fine map (segnet,
    deeplab_resnet50); the tasks' default head suits the others, since it reads every map.

    Args:
        features: what the stages put out.
        input_shape: (C, H, W).
        outputs: channels.
        width: channels between the convolutions; None for those of the map.

    Raises:
        ConfigError: if the input is no image, or no stage puts out a map.
    """

    def __init__(
        self, features: Sequence[Feature], input_shape: Sequence[int], outputs: int, width: int | None = None
    ) -> None:
        super().__init__()
        stages = [stage for stage, feature in enumerate(features) if feature.stride is not None]
        if len(input_shape) != 3 or not stages:
            raise ConfigError("MapHead needs images and a backbone with feature maps: choose backbone=segnet")
        self.stage, self.size = stages[-1], (input_shape[1], input_shape[2])
        channels = features[self.stage].channels
        self.inner = nn.Conv2d(channels, width or channels, 3, padding=1)
        self.outer = nn.Conv2d(width or channels, outputs, 1)
        for layer in (self.inner, self.outer):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        return resize(self.outer(self.inner(outputs[self.stage])), self.size)
