"""Heads that put out a vector per row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from mtlrun.options import below, flag, whole
from mtlrun.types import Feature


class VectorHead(nn.Module):
    """The last stage's output, averaged over its pixels if it is a map, through a small MLP: -> [n, outputs].

    Args:
        features: what the stages put out; only the last is used.
        outputs: units of the last layer.
        hidden: units of each ReLU layer before it; [] for a linear head.
        dropout: share of units dropped before every layer, in [0, 1).
        drop_inputs: whether before the first layer too; not in the head of Sener & Koltun (2018).
    """

    def __init__(
        self,
        features: Sequence[Feature],
        outputs: int,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        drop_inputs: bool = True,
    ) -> None:
        super().__init__()
        widths = [features[-1].channels, *hidden]
        layers: list[nn.Module] = []
        for width, following in pairwise(widths):
            layers += [nn.Dropout(dropout), nn.Linear(width, following), nn.ReLU()]
        layers += [nn.Dropout(dropout), nn.Linear(widths[-1], outputs)]
        kept = layers if drop_inputs else layers[1:]
        self.layers = nn.Sequential(*(layer for layer in kept if dropout or not isinstance(layer, nn.Dropout)))

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        last = outputs[-1]
        return self.layers(last.flatten(2).mean(2) if last.dim() > 2 else last)


class VectorHeadOptions:
    """Checked options of a VectorHead, for the kinds that use one."""

    def __init__(self, task: str, hidden: Sequence[int], dropout: float, drop_inputs: bool = True) -> None:
        self.hidden = [whole(f"hidden of task '{task}'", width) for width in hidden]
        self.dropout = below(f"dropout of task '{task}'", dropout, 0, 1)
        self.drop_inputs = flag(f"drop_inputs of task '{task}'", drop_inputs)

    def build(self, features: Sequence[Feature], outputs: int) -> VectorHead:
        return VectorHead(features, outputs, self.hidden, self.dropout, self.drop_inputs)
