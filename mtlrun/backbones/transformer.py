"""A small transformer encoder of text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.tokens import (
    POOLS,
    Reader,
    TokenPool,
    check_heads,
    join,
    take_apart,
    token_feature,
    token_length,
    visible,
)
from mtlrun.backbones.weights import load_weights
from mtlrun.errors import choose
from mtlrun.options import below, whole
from mtlrun.types import Feature

SPREAD = 0.02
"""Standard deviation that embeddings start with, as BERT's."""


class Transformer(Backbone):
    """Stages embedding, block1, block2, ...: maps [B, C + 1, 1, L]; and pool: vectors [B, C].

    Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762; learned positions and segments as in
    Devlin et al., "BERT", NAACL 2019, arXiv:1810.04805; normalisation before attention and layers, as in Xiong et al.,
    "On Layer Normalization in the Transformer Architecture", ICML 2020, arXiv:2002.04745, and once more at the end of
    the last block. A map's pixels are the tokens. Its last channel is their segment, 0 for padding, which every later
    stage needs and hands on. Padding does not change what the other tokens get.

    Args:
        input_shape: (L, 2): id and segment of each token; rows may be shorter.
        vocabulary: number of token ids, from 0 on.
        width: features C of a token.
        layers: number of blocks.
        heads: of the attention; a divisor of `width`.
        dropout: probability of dropping a unit, in [0, 1).
        pool: vector of a row: that of its first token, or the mean over its tokens.
        weights: file of a state dict to start from.

    Raises:
        ConfigError: if the rows are no text, or an option is none of these; in training, if a row has another id.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        vocabulary: int = 8000,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.1,
        pool: str = "first",
        weights: str | None = None,
    ) -> None:
        length = token_length(input_shape, "transformer")
        whole("backbone.vocabulary", vocabulary)
        whole("backbone.layers", layers)
        check_heads(width, heads)
        below("backbone.dropout", dropout, 0, 1)
        stages: dict[str, nn.Module] = {"embedding": _TokenEmbedding(vocabulary, length, width, dropout)}
        for number in range(1, layers + 1):
            stages[f"block{number}"] = _Block(width, heads, dropout, last=number == layers)
        features = [token_feature(name, width) for name in stages]
        stages["pool"] = TokenPool(choose(pool, POOLS, "backbone.pool"))
        super().__init__(stages, [*features, Feature("pool", width, None)])
        load_weights(self, weights)


class _TokenEmbedding(nn.Module):
    """Rows [B, L, 2] -> map: the sum of what token, position and segment stand for, normalised."""

    def __init__(self, vocabulary: int, length: int, width: int, dropout: float) -> None:
        super().__init__()
        self.read = Reader(vocabulary, f"backbone.vocabulary={vocabulary} must be that of the data")
        self.tokens, self.segments = nn.Embedding(vocabulary, width), nn.Embedding(3, width)
        self.positions = nn.Parameter(torch.empty(length, width))
        for table in (self.tokens.weight, self.segments.weight, self.positions):
            nn.init.normal_(table, std=SPREAD)
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        ids, segments = self.read(rows)
        total = self.tokens(ids) + self.segments(segments) + self.positions[: rows.shape[1]]
        return join(self.dropout(self.norm(total)), segments)


class _Block(nn.Module):
    """Map -> map: adds to each token what it attends to, then what two layers make of it."""

    def __init__(self, width: int, heads: int, dropout: float, last: bool) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), _SelfAttention(width, heads, dropout)
        self.norm2, self.widen, self.narrow = nn.LayerNorm(width), _dense(width, 4 * width), _dense(4 * width, width)
        self.dropout = nn.Dropout(dropout)
        self.end = nn.LayerNorm(width) if last else nn.Identity()

    def forward(self, values: Tensor) -> Tensor:
        features, segments = take_apart(values)
        features = features + self.dropout(self.attention(self.norm1(features), visible(segments)))
        inner = functional.gelu(self.widen(self.norm2(features)))
        features = features + self.dropout(self.narrow(inner))
        return join(self.end(features), segments)


class _SelfAttention(nn.Module):
    """Features [B, L, C] -> [B, L, C]; a linear layer per projection, so that sharing schemes find them by name."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value = _dense(width, width), _dense(width, width), _dense(width, width)
        self.out = _dense(width, width)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            layer(features).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(query, key, value, mask, dropout)
        return self.out(mixed.transpose(1, 2).flatten(2))


def _dense(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with Glorot & Bengio's weights and no bias to start with."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
