"""One network that the task's descriptor is joined to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mtlrun.errors import choose
from mtlrun.sharing.base import BackboneFactory
from mtlrun.sharing.modulated import Modulated
from mtlrun.sharing.shapes import per_channel, pointwise
from mtlrun.types import Feature


class Conditioned(Modulated):
    """The descriptor d joins the features h after the stages from `split` on; all tasks share every parameter.

    Dumoulin et al., "Feature-wise transformations", Distill 2018, doi:10.23915/distill.00011. `concat` puts d beside h
    at every pixel and maps both back to the channels of h: W h + V d + b, the linear layer on the concatenation written
    without it. `multiply` scales the channels of h by 1 + M d. `both` concatenates, then multiplies. W starts as the
    identity, V, b and M at 0, so that the network starts as the plain backbone.

    Args:
        backbone: builds the one backbone.
        tasks: names of the tasks.
        split: the first stage whose output the descriptor joins; None for the first of all.
        descriptors: task -> numbers, equally many for every task; None for one-hot vectors.
        join: concat, multiply or both.

    Raises:
        ConfigError: for an unknown stage or way to join, or descriptors that do not fit the tasks.
    """

    def __init__(
        self,
        backbone: BackboneFactory,
        tasks: Sequence[str],
        split: str | None = None,
        descriptors: Mapping[str, Sequence[float]] | None = None,
        join: str = "concat",
    ) -> None:
        ways = {"concat": (True, False), "multiply": (False, True), "both": (True, True)}
        concat, multiply = ways[choose(join, ways, "sharing.join")]
        super().__init__(backbone, tasks, split, descriptors)
        length = self.descriptors.shape[1]
        self.of_features, self.shift, self.scale = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for feature in self.modulated:
            if concat:
                self.of_features[feature.name] = _identity(feature)
                self.shift[feature.name] = _zero(nn.Linear(length, feature.channels))
            if multiply:
                self.scale[feature.name] = _zero(nn.Linear(length, feature.channels, bias=False))

    def of_descriptor(self) -> list[nn.Parameter]:
        return [cast(nn.Parameter, layer.weight) for layer in (*self.shift.values(), *self.scale.values())]

    def modulate(self, stage: str, values: Tensor, descriptor: Tensor) -> Tensor:
        if stage in self.shift:
            values = self.of_features[stage](values)
            values = values + per_channel(self.shift[stage](descriptor), values)
        if stage in self.scale:
            values = torch.addcmul(values, values, per_channel(self.scale[stage](descriptor), values))
        return values


def _identity(feature: Feature) -> nn.Module:
    layer = pointwise(feature.channels, feature.channels, feature, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(feature.channels).view_as(layer.weight))
    return layer


def _zero(layer: nn.Linear) -> nn.Linear:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
