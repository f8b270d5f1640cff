"""What torchvision's networks need before they are cut into stages: weights, norms, another first layer, padding."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from mtlrun.backbones.norms import BatchNorm2d, NormFactory, map_norm
from mtlrun.backbones.weights import check_fit, read_state, weights_file
from mtlrun.errors import choose
from mtlrun.types import Feature


def load_network(network: nn.Module, weights: str | None, classifier: str, rename: Callable[[str], str] = str) -> None:
    """Copy every tensor of a torchvision state dict into the network, whose own classifier has been taken out.

    Args:
        network: with torchvision's names.
        weights: the file; None leaves the network freshly initialised.
        classifier: start of the names in the file that are passed over.
        rename: from an old name in the file to the one of today.

    Raises:
        ConfigError: if the file is absent, is no state dict, or does not fit; names are listed.
    """
    if weights is None:
        return
    path = weights_file(weights)
    own = network.state_dict()
    content = {rename(name): tensor for name, tensor in read_state(path).items() if not name.startswith(classifier)}
    check_fit(path, own, content)
    with torch.no_grad():
        for name, tensor in content.items():
            own[name].copy_(tensor)


def first_layer(old: nn.Conv2d, channels: int, kernel: int | None = None) -> nn.Conv2d:
    """A fresh convolution in place of the first one, drawn as torchvision draws it in a ResNet.

    Args:
        old: the first layer; it is kept if nothing about it changes.
        channels: of the images.
        kernel: edge of another kernel, with stride 1; None for the kernel and stride of `old`.
    """
    if kernel is None and channels == old.in_channels:
        return old
    size, stride, padding = (old.kernel_size, old.stride, old.padding) if kernel is None else (kernel, 1, kernel // 2)
    bias = old.bias is not None
    layer = nn.Conv2d(channels, old.out_channels, size, stride, padding, bias=bias)  # type: ignore[arg-type]
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def replace_norms(network: nn.Module, norm: str) -> None:
    """Batch norms that cope with a single value per channel, or group norms, in place of torch's batch norms.

    Batch norms keep what they have learned.

    Raises:
        ConfigError: if `norm` is neither batch nor group.
    """
    choose(norm, ["batch", "group"], "backbone.norm of this network")
    make = map_norm(norm)
    for parent in [*network.modules()]:
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, _like(child, make))


def _like(old: nn.BatchNorm2d, make: NormFactory) -> nn.Module:
    if make is not BatchNorm2d:
        return make(old.num_features)
    norm = BatchNorm2d(old.num_features, old.eps, old.momentum, old.affine, old.track_running_stats)
    norm.load_state_dict(old.state_dict())
    return norm


class PadTo(nn.Module):
    """Zeros at the right and the bottom of [B, C, H, W], so that `multiple` divides H and W."""

    def __init__(self, multiple: int) -> None:
        super().__init__()
        self.multiple = multiple

    def forward(self, maps: Tensor) -> Tensor:
        height, width = maps.shape[-2:]
        right, below = -width % self.multiple, -height % self.multiple
        return pad(maps, (0, right, 0, below)) if right or below else maps


def doubling_features(channels: int, finest: int) -> list[Feature]:
    """Of a stem and stages 1 to 4: each from the second on has twice the channels and half the resolution before it.

    Args:
        channels: of the stem and of stage1.
        finest: input pixels per pixel of their maps.
    """
    stages = [Feature(f"stage{i + 1}", channels << i, finest << i) for i in range(4)]
    return [Feature("stem", channels, finest), *stages]
