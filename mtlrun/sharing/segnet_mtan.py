"""SegNet with attention inside its levels: the network of the NYUv2 and Cityscapes tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, max_unpool2d, pad

from mtlrun.backbones.norms import BatchNorm2d
from mtlrun.errors import ConfigError, choose
from mtlrun.sharing.base import BackboneFactory, Sharing
from mtlrun.sharing.module_names import task_key
from mtlrun.types import Feature, Rows, select

FIRST = 3
"""Layers of a level up to its first activation: convolution, normalisation, ReLU."""
COUNTED = ("own", "shared")


class SegNetMTAN(Sharing):
    """One SegNet; each task has masks in the middle of every level. Each head gets a map of the input's size.

    Liu et al., "End-to-End Multi-Task Learning with Attention", CVPR 2019, arXiv:1803.10704, eq. 1 and 2, as its
    authors' SegNet: a mask is computed from a level's first activation and what the task's mask before hands on, and
    is laid on the level's last activation; what hands on is a 3 x 3 convolution that the tasks share, followed by
    pooling or bilinear enlarging. With three heads of 13, 1 and 3 channels 44,229,073 parameters, with two of 7 and 1
    41,206,984. Deviation: sides that the levels cannot halve evenly are padded.

    Args:
        backbone: builds a SegNet with unpooling.
        tasks: names of the tasks.
        attention: own, as the masks are; or shared, as CAGrad, Nash-MTL, FAMO and others count them: their balancers
            see a task's masks, for which the others have gradients of zero.

    Raises:
        ConfigError: if the backbone is another one, or `attention` is neither.
    """

    def __init__(self, backbone: BackboneFactory, tasks: Sequence[str], attention: str = "own") -> None:
        super().__init__(tasks)
        self.attention_counts = choose(attention, COUNTED, "sharing.attention")
        made = backbone()
        trunk = dict(made.stages.named_children()).get("segnet")
        if trunk is None or not hasattr(trunk, "decoder"):
            raise ConfigError("sharing=segnet_mtan is SegNet with unpooling: choose backbone=segnet, or sharing=mtan")
        self.features: list[Feature] = made.features
        self.trunk = trunk
        self._encoder = [cast(nn.Sequential, level) for level in cast(nn.ModuleList, trunk.encoder)]
        self._decoder = [cast(nn.Sequential, level) for level in cast(nn.ModuleList, trunk.decoder)]
        down, up = [_ends(level) for level in self._encoder], [_ends(level) for level in self._decoder]
        following = [*[outer for _, outer in down[1:]], down[-1][1]]
        self.down = nn.ModuleList(_convolution(own, after) for (_, own), after in zip(down, following))
        self.up = nn.ModuleList(_convolution(inner, outer) for inner, outer in up)
        self.attention = nn.ModuleDict({task_key(task): _Attention(down, up) for task in self.tasks})
        for part in (self.down, self.up, self.attention):
            part.apply(_initialise)

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """The trunk sees all rows once; a task's masks see its rows."""
        size, unit = inputs.shape[-2:], 2 ** len(self._encoder)
        values = pad(inputs, (0, -size[1] % unit, 0, -size[0] % unit))
        down: list[tuple[Tensor, Tensor]] = []
        up: list[tuple[Tensor, Tensor]] = []
        places = []
        for level in self._encoder:
            first = level[:FIRST](values)
            down.append((first, level[FIRST:](first)))
            values, place = max_pool2d(down[-1][1], 2, return_indices=True)
            places.append(place)
        for level, place in zip(self._decoder, reversed(places)):
            values = max_unpool2d(values, place, [2, 2])
            up.append((values, level(values)))
            values = up[-1][1]
        return {task: [self._attended(task, down, up, rows[task])[..., : size[0], : size[1]]] for task in rows}

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return [*self.parameters()]
        return [*self.attention[task_key(task)].parameters()] if self.attention_counts == "own" else []

    def last_shared_stage(self) -> list[nn.Parameter]:
        return [] if len(self.tasks) == 1 else [*self.trunk.parameters()]

    def _attended(
        self,
        task: str,
        down: Sequence[tuple[Tensor, Tensor]],
        up: Sequence[tuple[Tensor, Tensor]],
        rows: Tensor | None,
    ) -> Tensor:
        """The task's way through all levels: [n, C, H, W] of the last one."""
        attention = cast(_Attention, self.attention[task_key(task)])
        handed: list[Tensor] = []
        for (first, last), mask, hand_on in zip(down, attention.down, self.down):
            seen = torch.cat([select(first, rows), *handed], 1)
            handed = [max_pool2d(hand_on(mask(seen) * select(last, rows)), 2)]
        found = handed[0]
        for (enlarged, last), mask, hand_on in zip(up, attention.up, self.up):
            taken = hand_on(interpolate(found, scale_factor=2, mode="bilinear", align_corners=True))
            found = mask(torch.cat([select(enlarged, rows), taken], 1)) * select(last, rows)
        return found


class _Attention(nn.Module):
    """One task's masks; `down` and `up` are the channels (taken in, put out) of the levels."""

    def __init__(self, down: Sequence[tuple[int, int]], up: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.down = nn.ModuleList(_mask(own * (2 if index else 1), own) for index, (_, own) in enumerate(down))
        self.up = nn.ModuleList(_mask(inner + outer, outer) for inner, outer in up)


def _ends(level: nn.Sequential) -> tuple[int, int]:
    """Channels that a level takes in and puts out."""
    convolutions = [layer for layer in level if isinstance(layer, nn.Conv2d)]
    return convolutions[0].in_channels, convolutions[-1].out_channels


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _mask(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1),
        BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 1),
        BatchNorm2d(outputs),
        nn.Sigmoid(),
    )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_normal_(module.weight)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
