"""A small convolutional network of VGG's kind, quick on a CPU."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape, is_small
from mtlrun.backbones.norms import NormFactory, map_norm
from mtlrun.backbones.weights import load_weights
from mtlrun.options import whole_numbers
from mtlrun.types import Feature


class CNN(Backbone):
    """Stages block1, block2, ... of two 3x3 convolutions with normalisation and ReLU: maps [B, C, H, W].

    The first convolution of a block halves the resolution (max-pooling instead took four times as long on a
    CPU). Global pooling is left to the heads.

    Args:
        input_shape: (C, H, W); other H and W may follow.
        channels: of each block.
        norm: batch, group or none.
        small_input: the first block keeps the full resolution; None for automatic: where the last map would
            be under 2 x 2, which is below 16 pixels for three blocks.
        weights: file of a state dict to start from.

    Raises:
        ConfigError: if the rows are no images, or an option is none of these.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: Sequence[int] = (64, 128, 256),
        norm: str = "batch",
        small_input: bool | None = None,
        weights: str | None = None,
    ) -> None:
        image = image_shape(input_shape, "cnn")
        widths = [image[0], *whole_numbers("backbone.channels", channels, "[64,128]")]
        first = 1 if is_small(image, 2 ** len(channels), small_input) else 2
        make_norm = map_norm(norm)
        stages, features = {}, []
        for i in range(len(channels)):
            name = f"block{i + 1}"
            stages[name] = _block(widths[i], widths[i + 1], 2 if i else first, make_norm)
            features.append(Feature(name, widths[i + 1], first * 2**i))
        super().__init__(stages, features)
        load_weights(self, weights)


def _block(inputs: int, outputs: int, stride: int, norm: NormFactory) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        norm1=norm(outputs),
        relu1=nn.ReLU(inplace=True),
        conv2=nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        norm2=norm(outputs),
        relu2=nn.ReLU(inplace=True),
    )
    return nn.Sequential(layers)
