"""A gate: what weighs the experts for one task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlrun.sharing.shapes import carrying, pooled
from mtlrun.types import Feature


class SoftmaxGate(nn.Module):
    """Weights [n, experts], positive and of sum 1 per row: softmax of a linear layer on the gate's input.

    Maps are averaged over their pixels first, so the weights are those of a row, the same at every pixel.

    Args:
        channels: of the input.
        experts: number of experts.
    """

    def __init__(self, channels: int, experts: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, experts)
        self.channels = channels

    def forward(self, values: Tensor) -> Tensor:
        return self.linear(pooled(values[:, : self.channels])).softmax(1)


def mix(weights: Tensor, outputs: Sequence[Tensor], feature: Feature) -> Tensor:
    """Weighted sum [n, ...] of the experts' features [n, ...]; what they carry beside them is the same in all.

    Args:
        weights: [n, experts]
        outputs: of the experts, at one stage.
        feature: what that stage puts out.
    """
    features = torch.stack([output[:, : feature.channels] for output in outputs], 1)
    mixed = torch.einsum("ne,ne...->n...", weights.to(features.dtype), features)
    return carrying(mixed, outputs[0], feature)
