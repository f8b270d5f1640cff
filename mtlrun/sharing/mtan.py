"""One network from whose features each task picks by attention masks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtlrun.options import whole
from mtlrun.sharing.base import BackboneFactory, Sharing, last_with_parameters
from mtlrun.sharing.module_names import task_key
from mtlrun.sharing.shapes import batch_norm, carrying, pointwise, pooled
from mtlrun.types import Feature, Rows, select


class MTAN(Sharing):
    """a_j = mask_j * p_j for the shared output p_j of stage j, with mask_j = h(g([p_j; f(a_{j-1})])) per task.

    Liu et al., "End-to-End Multi-Task Learning with Attention", CVPR 2019, arXiv:1803.10704, eq. 1 and 2. g and h are
    linear at every pixel with batch normalisation, then ReLU and sigmoid; f is a 3x3 convolution that all tasks share,
    with batch normalisation, ReLU and max-pooling to the size of p_j, or bilinear interpolation where p_j is larger.

    Deviations: the mask is computed from the output p_j of a stage instead of from features in the middle of it, since
    a stage is a black box here; the normalisation of f is each task's own, as running statistics of several tasks would
    fit none of them; on vectors f is linear.

    Args:
        backbone: builds the one backbone.
        tasks: names of the tasks.
        reduction: channels of p_j per channel between g and h: 1 in the paper's SegNet, 4 in its authors' ResNet.

    Raises:
        ConfigError: if `reduction` is no positive whole number.
    """

    def __init__(self, backbone: BackboneFactory, tasks: Sequence[str], reduction: int = 1) -> None:
        super().__init__(tasks)
        whole("sharing.reduction", reduction)
        network = backbone()
        self.features = network.features
        self.stages = network.stages
        self.transfers = nn.ModuleDict(
            {after.name: _transfer(before, after) for before, after in pairwise(self.features)}
        )
        self.attention = nn.ModuleDict(
            {task_key(task): _AttentionMask(self.features, reduction) for task in self.tasks}
        )

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """The shared stages see all rows once; a task's masks see its rows."""
        shared = []
        for stage in self.stages.values():
            inputs = stage(inputs)
            shared.append(inputs)
        return {task: self._attended(task, [select(output, rows[task]) for output in shared]) for task in rows}

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        return [*self.parameters()] if len(self.tasks) == 1 else [*self.attention[task_key(task)].parameters()]

    def last_shared_stage(self) -> list[nn.Parameter]:
        return [] if len(self.tasks) == 1 else last_with_parameters([[stage] for stage in self.stages.values()])

    def _attended(self, task: str, shared: list[Tensor]) -> list[Tensor]:
        attention = cast(_AttentionMask, self.attention[task_key(task)])
        found: list[Tensor] = []
        for feature, output in zip(self.features, shared):
            own = output[:, : feature.channels]
            seen = own
            if found:
                handed_on = attention.hand_on(feature.name, self.transfers[feature.name](found[-1]), own)
                seen = torch.cat([own, handed_on], dim=1)
            found.append(attention.masks[feature.name](seen) * own)
        return [carrying(*values) for values in zip(found, shared, self.features)]


class _AttentionMask(nn.Module):
    """One task's masks, and its normalisation of what a stage hands to the next."""

    def __init__(self, features: Sequence[Feature], reduction: int) -> None:
        super().__init__()
        self.masks, self.norms = nn.ModuleDict(), nn.ModuleDict()
        for number, feature in enumerate(features):
            seen = feature.channels * (2 if number else 1)
            self.masks[feature.name] = _mask(seen, max(feature.channels // reduction, 1), feature)
            if number:
                self.norms[feature.name] = batch_norm(feature.channels, feature)

    def hand_on(self, name: str, values: Tensor, like: Tensor) -> Tensor:
        """The rest of f: normalisation, ReLU and, on maps, pooling or interpolation to the size of `like`."""
        values = functional.relu(self.norms[name](values))
        if values.dim() != 4 or values.shape[2:] == like.shape[2:]:
            return values
        if values.shape[2] < like.shape[2] or values.shape[3] < like.shape[3]:
            return functional.interpolate(values, like.shape[2:], mode="bilinear", align_corners=True)
        return functional.adaptive_max_pool2d(values, like.shape[2:])


def _mask(inputs: int, hidden: int, feature: Feature) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module](
        g=pointwise(inputs, hidden, feature, bias=False),
        norm1=batch_norm(hidden, feature),
        relu=nn.ReLU(inplace=True),
        h=pointwise(hidden, feature.channels, feature, bias=False),
        norm2=batch_norm(feature.channels, feature),
        sigmoid=nn.Sigmoid(),
    )
    return nn.Sequential(layers)


def _transfer(before: Feature, after: Feature) -> nn.Module:
    """The weights of f, from one stage's channels to the next one's."""
    if after.stride is None:
        return _PooledLinear(before.channels, after.channels, bias=False)
    if after.carried:  # pixels that carry their own places, such as atoms, have no neighbours in the map
        return nn.Conv2d(before.channels, after.channels, 1, bias=False)
    return nn.Conv2d(before.channels, after.channels, 3, padding=1, bias=False)


class _PooledLinear(nn.Linear):
    """Linear on vectors, or on maps averaged over their pixels."""

    def forward(self, values: Tensor) -> Tensor:
        return super().forward(pooled(values))
