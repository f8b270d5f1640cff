"""The LeNets that papers train on MultiMNIST and its kin."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape
from mtlrun.backbones.norms import BatchNorm1d, BatchNorm2d
from mtlrun.backbones.weights import load_weights
from mtlrun.errors import ConfigError, choose
from mtlrun.options import below, whole, whole_numbers
from mtlrun.types import Feature

NORMS = ("none", "batch")
SECOND_KERNEL = 5


class LeNet(Backbone):
    """Stages conv1 [B, 10, H, W] and conv2 [B, 20, H, W] (convolution, max-pool, ReLU) and fc [B, 50].

    Sener & Koltun, "Multi-Task Learning as Multi-Objective Optimization", NeurIPS 2018, supplement: 21,330
    parameters for 1 x 28 x 28 pixels. Lin et al., "Pareto Multi-Task Learning", NeurIPS 2019, begin with 9 x 9
    (`kernel=9`): 30,890 for 1 x 36 x 36. Liu et al. (CAGrad, NeurIPS 2021, appendix B.1) halve that one's channels and
    normalise both convolutions, the second one after flattening (`kernel=9 channels=[5,10] norm=batch`): 14,730.
    Deviation: Sener and Koltun's dropout of conv2's channels is off by default.

    Args:
        input_shape: (C, H, W); H and W are then fixed.
        dropout: probability of dropping a whole channel of conv2, in [0, 1).
        weights: file of a state dict to start from.
        channels: of conv1 and conv2.
        kernel: edge of conv1's filters; conv2's are 5 x 5.
        norm: none, or batch normalisation behind both stages.
        width: units of fc.

    Raises:
        ConfigError: if the rows are no images, too small for both convolutions, or an option is out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        dropout: float = 0.0,
        weights: str | None = None,
        channels: Sequence[int] = (10, 20),
        kernel: int = 5,
        norm: str = "none",
        width: int = 50,
    ) -> None:
        smallest = whole("backbone.kernel", kernel) + 2 * SECOND_KERNEL + 1
        inputs, height, width_px = image_shape(input_shape, "lenet", smallest)
        first, second = _two(channels)
        pixels = _side(height, kernel) * _side(width_px, kernel)
        conv1, conv2 = _convolution(inputs, first, kernel), _convolution(first, second, SECOND_KERNEL)
        fc = OrderedDict[str, nn.Module](flatten=nn.Flatten())
        if choose(norm, NORMS, "backbone.norm") == "batch":
            conv1.append(BatchNorm2d(first))
            fc["norm"] = BatchNorm1d(second * pixels)
        if below("backbone.dropout", dropout, 0, 1):
            # A dropped channel is zero before as well as after pooling and ReLU, so it may as well come last.
            conv2.append(nn.Dropout2d(dropout))
        fc["linear"] = nn.Linear(second * pixels, whole("backbone.width", width))
        fc["relu"] = nn.ReLU(inplace=True)
        stages = {"conv1": conv1, "conv2": conv2, "fc": nn.Sequential(fc)}
        features = [Feature("conv1", first, 2), Feature("conv2", second, 4), Feature("fc", width, None)]
        super().__init__(stages, features, fixed_size=True)
        load_weights(self, weights)


def _two(channels: Sequence[int]) -> tuple[int, int]:
    found = whole_numbers("backbone.channels", channels, "[10,20]")
    if len(found) != 2:
        raise ConfigError(f"backbone.channels={found}: lenet has two convolutions, give two numbers such as [10,20]")
    return found[0], found[1]


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(inputs, outputs, kernel), pool=nn.MaxPool2d(2), relu=nn.ReLU(inplace=True))
    )


def _side(pixels: int, kernel: int) -> int:
    """Pixels that both stages leave of a side: each takes some by convolution, then halves by pooling."""
    return ((pixels - kernel + 1) // 2 - SECOND_KERNEL + 1) // 2
