"""SegNet as the papers on multi-task dense prediction build it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, max_unpool2d, pad

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape
from mtlrun.backbones.norms import BatchNorm2d
from mtlrun.backbones.weights import load_weights
from mtlrun.options import flag, whole_numbers
from mtlrun.types import Feature

Size = tuple[int, int]


class SegNet(Backbone):
    """An encoder that halves the resolution at each level and a decoder that mirrors it: ends in a map of stride 1.

    Badrinarayanan et al., "SegNet", PAMI 2017, arXiv:1511.00561, in the form of Liu et al., "End-to-End Multi-Task
    Learning with Attention", CVPR 2019, arXiv:1803.10704, and its authors' code: convolutions of 3x3 with batch norm
    and ReLU, two in each of the first two levels and three in the others, on the way down and up; Xavier
    initialisation; 24,943,296 parameters for images of three channels.

    Unpooling puts each value back to where it was the maximum on the way down. A stage sees nothing but the output of
    the one before it, so all of this is one stage, `segnet`. Without unpooling the decoder enlarges bilinearly, and the
    levels are stages enc1, enc2, ..., dec2, dec1, as `sharing.split`, mtan or cross_stitch need them. Deviation: sides
    that the levels cannot halve evenly are padded.

    Args:
        input_shape: (C, H, W).
        channels: of each level.
        unpooling: as above; without it H and W are fixed.
        weights: file of a state dict to start from, saved with the same `unpooling`.

    Raises:
        ConfigError: if the rows are no images, or an option is none of these.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: Sequence[int] = (64, 128, 256, 512, 512),
        unpooling: bool = True,
        weights: str | None = None,
    ) -> None:
        inputs, height, width = image_shape(input_shape, "segnet")
        widths = whole_numbers("backbone.channels", channels, "[64,128]")
        if flag("backbone.unpooling", unpooling):
            stages: dict[str, nn.Module] = {"segnet": _Whole(inputs, widths)}
            features = [Feature("segnet", widths[0], 1)]
        else:
            stages, features = _levels(inputs, widths, (height, width))
        super().__init__(stages, features, fixed_size=not unpooling)
        self.apply(_initialise)
        load_weights(self, weights)


class _Whole(nn.Module):
    """[B, C, H, W] -> [B, widths[0], H, W]."""

    def __init__(self, inputs: int, widths: list[int]) -> None:
        super().__init__()
        self.encoder, self.decoder = _encoder(inputs, widths), _decoder(widths)

    def forward(self, values: Tensor) -> Tensor:
        size = values.shape[-2:]
        unit = 2 ** len(self.encoder)
        values = pad(values, (0, -size[1] % unit, 0, -size[0] % unit))
        indices = []
        for level in self.encoder:
            values, index = max_pool2d(level(values), 2, return_indices=True)
            indices.append(index)
        for level, index in zip(self.decoder, reversed(indices)):
            values = level(max_unpool2d(values, index, [2, 2]))
        return values[..., : size[0], : size[1]]


class _Enlarged(nn.Sequential):
    """Bilinear to a given size before the layers."""

    def __init__(self, size: Size, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.size = size

    def forward(self, values: Tensor) -> Tensor:
        return super().forward(interpolate(values, self.size, mode="bilinear", align_corners=False))


def _levels(inputs: int, widths: list[int], size: Size) -> tuple[dict[str, nn.Module], list[Feature]]:
    """The levels as stages. Those of the encoder end in pooling, those of the decoder begin with enlarging."""
    stages: dict[str, nn.Module] = {}
    features = []
    for index, level in enumerate(_encoder(inputs, widths)):
        name = f"enc{index + 1}"
        stages[name] = nn.Sequential(level, nn.MaxPool2d(2, ceil_mode=True))
        features.append(Feature(name, widths[index], 2 ** (index + 1)))
    for index, level in zip(reversed(range(len(widths))), _decoder(widths)):
        name, stride = f"dec{index + 1}", 2**index
        stages[name] = _Enlarged((-(-size[0] // stride), -(-size[1] // stride)), level)
        features.append(Feature(name, widths[max(index - 1, 0)], stride))
    return stages, features


def _encoder(inputs: int, widths: list[int]) -> nn.ModuleList:
    return nn.ModuleList(
        _convolutions(before, *[after] * (2 if index < 2 else 3))
        for index, (before, after) in enumerate(pairwise([inputs, *widths]))
    )


def _decoder(widths: list[int]) -> nn.ModuleList:
    """From the coarsest level to the finest; each hands on the channels of the next finer one."""
    steps = [*enumerate(pairwise([widths[0], *widths]))]
    return nn.ModuleList(
        _convolutions(inner, *[outer] * (2 if index < 2 else 3)) for index, (outer, inner) in reversed(steps)
    )


def _convolutions(*channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_normal_(module.weight)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
