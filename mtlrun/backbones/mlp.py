"""Fully connected network for tables of numbers; images are flattened."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import prod

from torch import nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.norms import NormFactory, vector_norm
from mtlrun.backbones.weights import load_weights
from mtlrun.errors import choose
from mtlrun.options import below, whole_numbers
from mtlrun.types import Feature

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class MLP(Backbone):
    """Stages layer1, layer2, ...: linear, normalisation, activation, dropout. Vectors [B, width].

    Args:
        input_shape: (D,), or any other shape, which is flattened.
        hidden: units of each layer.
        activation: relu, leaky_relu, gelu, silu or tanh.
        dropout: probability of dropping a unit, in [0, 1).
        norm: batch, layer or none.
        weights: file of a state dict to start from.

    Raises:
        ConfigError: if an option is none of these.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        hidden: Sequence[int] = (256, 256),
        activation: str = "relu",
        dropout: float = 0.0,
        norm: str = "none",
        weights: str | None = None,
    ) -> None:
        widths = [prod(input_shape), *whole_numbers("backbone.hidden", hidden, "[64,128]")]
        nonlinearity = ACTIVATIONS[choose(activation, ACTIVATIONS, "backbone.activation")]
        make_norm = vector_norm(norm)
        below("backbone.dropout", dropout, 0, 1)
        stages = {
            f"layer{i + 1}": dense_layer(widths[i], widths[i + 1], nonlinearity, dropout, make_norm)
            for i in range(len(hidden))
        }
        if len(input_shape) > 1:
            stages["layer1"] = _flattened(stages["layer1"])
        features = [Feature(name, width, None) for name, width in zip(stages, widths[1:])]
        super().__init__(stages, features, fixed_size=True)
        load_weights(self, weights)


def dense_layer(
    inputs: int, outputs: int, activation: type[nn.Module], dropout: float, norm: NormFactory
) -> nn.Sequential:
    layer = OrderedDict[str, nn.Module](linear=nn.Linear(inputs, outputs))
    layer["norm"] = norm(outputs)
    layer["activation"] = activation()
    if dropout:
        layer["dropout"] = nn.Dropout(dropout)
    return nn.Sequential(layer)


def _flattened(layer: nn.Sequential) -> nn.Sequential:
    """The layer after flattening, under the same parameter names."""
    return nn.Sequential(OrderedDict[str, nn.Module]([("flatten", nn.Flatten()), *layer.named_children()]))
