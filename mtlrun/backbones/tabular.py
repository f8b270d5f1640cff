"""Rows of a table: an embedding for each categorical column beside the numbers, then fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.id_bounds import IdBounds
from mtlrun.backbones.input_shape import suited
from mtlrun.backbones.mlp import ACTIVATIONS, dense_layer
from mtlrun.backbones.norms import vector_norm
from mtlrun.backbones.weights import load_weights
from mtlrun.errors import ConfigError, choose
from mtlrun.options import below, whole, whole_numbers
from mtlrun.types import Feature, InputColumn, categories

START = 0.05
"""Deviation of the embeddings at the beginning."""


class Tabular(Backbone):
    """Stages embedding: vectors [B, numbers + widths of all embeddings]; and layer1, layer2, ...: vectors [B, width].

    A category of n codes, the one for rare, unknown and missing texts among them, has an embedding of
    min(`widest`, round(1.6 n^0.56)) numbers, the rule of fastai's tabular learner. Guo & Berkhahn, "Entity embeddings
    of categorical variables" (2016), arXiv:1604.06737.

    Schemes with experts share the embeddings and the gates read them, as in MMoE and PLE, since the first stage is
    their trunk.

    Args:
        input_shape: (D,).
        columns: what the D entries are; () for numbers alone.
        widest: numbers of an embedding at most.
        embedding_dropout: probability of dropping a number of an embedding, in [0, 1).
        hidden, activation, dropout, norm: of the layers, as of `MLP`.
        weights: file of a state dict to start from.

    Raises:
        ConfigError: if the rows are no vectors, or an option is out of its range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        columns: Sequence[InputColumn] = (),
        widest: int = 16,
        embedding_dropout: float = 0.0,
        hidden: Sequence[int] = (256, 256),
        activation: str = "relu",
        dropout: float = 0.0,
        norm: str = "none",
        weights: str | None = None,
    ) -> None:
        if len(input_shape) != 1:
            raise ConfigError(
                f"backbone=tabular takes rows of a table, found rows of shape {tuple(input_shape)}: choose "
                f"backbone={suited(tuple(input_shape))}"
            )
        whole("backbone.widest", widest)
        below("backbone.embedding_dropout", embedding_dropout, 0, 1)
        below("backbone.dropout", dropout, 0, 1)
        found = categories(columns)
        embedding = ColumnEmbedding(input_shape[0] - len(found), found, widest, embedding_dropout)
        widths = [embedding.width, *whole_numbers("backbone.hidden", hidden, "[64,128]")]
        nonlinearity = ACTIVATIONS[choose(activation, ACTIVATIONS, "backbone.activation")]
        stages: dict[str, nn.Module] = {"embedding": embedding}
        for place, (inputs, outputs) in enumerate(pairwise(widths), 1):
            stages[f"layer{place}"] = dense_layer(inputs, outputs, nonlinearity, dropout, vector_norm(norm))
        features = [Feature(name, width, None) for name, width in zip(stages, widths)]
        super().__init__(stages, features, fixed_size=True)
        load_weights(self, weights)


def embedding_width(codes: int, widest: int) -> int:
    """Numbers of the embedding of a category that can be so many codes."""
    return min(widest, max(1, round(1.6 * codes**0.56)))


class ColumnEmbedding(nn.Module):
    """Vectors [B, D], numbers first, then codes -> [B, width]: the numbers as they are, then each code's embedding.

    Args:
        numbers: how many of the entries are numbers.
        columns: the categories, in the order of their entries.
        widest: numbers of an embedding at most.
        dropout: probability of dropping a number of an embedding.
    """

    def __init__(self, numbers: int, columns: Sequence[InputColumn], widest: int, dropout: float) -> None:
        super().__init__()
        self.numbers = numbers
        self.tables = nn.ModuleList(
            nn.Embedding(column.codes, embedding_width(column.codes, widest)) for column in columns
        )
        for table in self.tables:  # small, so that a text that was hardly ever trained on says little
            nn.init.normal_(table.weight, std=START)  # type: ignore[arg-type]
        remedy = "encode its rows as those of training"
        self.known = [IdBounds(column.codes, "code", remedy, f" of column '{column.name}'") for column in columns]
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.width = numbers + sum(embedding_width(column.codes, widest) for column in columns)

    def forward(self, rows: Tensor) -> Tensor:
        if not self.tables:
            return rows
        numbers, codes = rows[:, : self.numbers], rows[:, self.numbers :].unbind(1)
        for bounds, code in zip(self.known, codes):
            bounds.check(code.detach())
        found = [table(code.long()) for table, code in zip(self.tables, codes)]
        return torch.cat([numbers, self.dropout(torch.cat(found, 1)).to(numbers.dtype)], 1)
