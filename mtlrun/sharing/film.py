"""One network whose channels are scaled and shifted for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mtlrun.options import whole
from mtlrun.sharing.base import BackboneFactory
from mtlrun.sharing.modulated import Modulated
from mtlrun.sharing.shapes import per_channel


class FiLM(Modulated):
    """gamma * h + beta per channel after every stage, with gamma and beta from the task's descriptor.

    Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018, arXiv:1709.07871, eq. 2, with
    gamma = 1 + delta as they advise; here delta and beta start at 0. The controller is one hidden ReLU layer for all
    stages and a linear layer for each. Deviations: their controller reads a question, and they modulate inside residual
    blocks, after a normalisation whose own scale and shift are switched off.

    Args:
        backbone: builds the one backbone.
        tasks: names of the tasks.
        split: the first stage whose output is modulated; None for the first of all.
        descriptors: task -> numbers, equally many for every task; None for one-hot vectors.
        hidden: units of the controller's hidden layer; None for none, so that a one-hot descriptor looks up gamma
            and beta.

    Raises:
        ConfigError: for an unknown stage, descriptors that do not fit the tasks, or a wrong number of units.
    """

    def __init__(
        self,
        backbone: BackboneFactory,
        tasks: Sequence[str],
        split: str | None = None,
        descriptors: Mapping[str, Sequence[float]] | None = None,
        hidden: int | None = 64,
    ) -> None:
        super().__init__(backbone, tasks, split, descriptors)
        length = self.descriptors.shape[1]
        units = length if hidden is None else whole("sharing.hidden", hidden)
        self.controller = nn.Identity() if hidden is None else nn.Sequential(nn.Linear(length, units), nn.ReLU())
        self.scale_and_shift = nn.ModuleDict()
        for feature in self.modulated:
            layer = nn.Linear(units, 2 * feature.channels)
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
            self.scale_and_shift[feature.name] = layer

    def of_descriptor(self) -> list[nn.Parameter]:
        readers = self.scale_and_shift.values() if isinstance(self.controller, nn.Identity) else [self.controller[0]]
        return [cast(nn.Parameter, layer.weight) for layer in readers]

    def modulate(self, stage: str, values: Tensor, descriptor: Tensor) -> Tensor:
        delta, beta = self.scale_and_shift[stage](self.controller(descriptor)).chunk(2)
        # h + h * delta keeps a small delta that 1 + delta would lose in half precision
        return torch.addcmul(values, values, per_channel(delta, values)) + per_channel(beta, values)
