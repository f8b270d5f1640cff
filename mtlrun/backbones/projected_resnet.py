"""A residual network that ends in a vector: what papers on many domains put before their linear heads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.norms import BatchNorm1d
from mtlrun.backbones.resnet import ResNet
from mtlrun.options import below, whole
from mtlrun.types import Feature


class ProjectedResNet(Backbone):
    """The stages of ResNet, and projection: pooling, a linear layer, batch norm, ReLU and dropout; vectors [B, width].

    The encoder of the Office protocol of LibMTL, as in Lin et al., "Dual-Balancing for Multi-Task Learning",
    arXiv:2308.12029; there the linear layer starts with weights from N(0, 0.005^2) and biases of 0.1, here too.

    Args:
        input_shape: (C, H, W); other H and W may follow.
        depth, norm, small_input, weights: see `mtlrun.backbones.resnet.ResNet`; the projection starts afresh.
        width: of the vectors.
        dropout: probability of dropping one of their entries, in [0, 1).

    Raises:
        ConfigError: if the rows are no images, an option is none of these, or the weights do not fit.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        depth: int = 18,
        norm: str = "batch",
        small_input: bool | None = None,
        width: int = 512,
        dropout: float = 0.5,
        weights: str | None = None,
    ) -> None:
        whole("backbone.width", width)
        network = ResNet(input_shape, depth, norm, small_input, weights)
        linear = nn.Linear(network.features[-1].channels, width)
        nn.init.normal_(linear.weight, std=0.005)
        nn.init.constant_(linear.bias, 0.1)
        projection = OrderedDict[str, nn.Module](
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=linear,
            norm=BatchNorm1d(width),
            relu=nn.ReLU(inplace=True),
            dropout=nn.Dropout(below("backbone.dropout", dropout, 0, 1)),
        )
        stages = {**network.stages, "projection": nn.Sequential(projection)}
        super().__init__(stages, [*network.features, Feature("projection", width, None)])
