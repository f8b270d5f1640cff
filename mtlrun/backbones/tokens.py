"""What encoders of text have in common: rows of tokens, maps over them, and the vector of a whole row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlrun.backbones.id_bounds import IdBounds
from mtlrun.backbones.input_shape import suited
from mtlrun.errors import ConfigError
from mtlrun.options import whole
from mtlrun.types import Feature

CARRIED = 1
"""Channels of a map after its features: the segment of each token, 0 for padding."""

POOLS = ("first", "mean")


def token_length(input_shape: Sequence[int], backbone: str) -> int:
    """L, from the shape (L, 2) of a row: the id and the segment of each token.

    Raises:
        ConfigError: if the rows are no tokens.
    """
    shape = tuple(input_shape)
    if len(shape) != 2 or shape[1] != 2:
        raise ConfigError(
            f"backbone={backbone} takes text (L, 2), the id and segment of each token, found rows of shape {shape}: "
            f"choose backbone={suited(shape)}"
        )
    return shape[0]


def check_heads(width: int, heads: int) -> None:
    """Each head attends with an equal share of the features.

    Raises:
        ConfigError: if `width` and `heads` are no positive whole numbers, or the one does not divide the other.
    """
    if whole("backbone.width", width) % whole("backbone.heads", heads):
        raise ConfigError(f"backbone.heads={heads} must divide backbone.width={width}; try backbone.heads=4")


def token_feature(name: str, width: int) -> Feature:
    """What a stage that puts out a map has to say of itself."""
    return Feature(name, width, 1, carried=CARRIED)


def join(features: Tensor, segments: Tensor) -> Tensor:
    """Features [B, L, C] and segments [B, L] as a map [B, C + 1, 1, L], whose features are 0 at padding.

    So the mean of a map, which gates read, is of its tokens alone but for a factor.
    """
    carried = segments.to(features.dtype).unsqueeze(2)
    return torch.cat([features * (carried > 0), carried], 2).transpose(1, 2).unsqueeze(2)


def take_apart(values: Tensor) -> tuple[Tensor, Tensor]:
    """The features [B, L, C] and the segments [B, L] in a map."""
    last = values.squeeze(2).transpose(1, 2)
    return last[:, :, :-CARRIED], last[:, :, -1]


def one_at_least(rows: Tensor) -> Tensor:
    """Rows or a map; where a process has none in a batch, one of ones, since some layers cannot reshape nothing.

    Joined rather than put in their place, so that gradients, all zero, still reach every parameter.
    """
    exporting = getattr(torch.compiler, "is_exporting", None)  # of torch 2.7; an exported network gets rows
    if exporting is not None and exporting():
        return rows
    return rows if len(rows) else torch.cat([rows, rows.new_ones(1, *rows.shape[1:])])


def visible(segments: Tensor) -> Tensor:
    """The tokens that tokens may attend to, [B, 1, 1, L]: all but padding, or all in a row of nothing but padding."""
    real = segments > 0
    return (real | ~real.any(1, keepdim=True))[:, None, None]


class Reader(nn.Module):
    """Rows [B, L, 2] of whole numbers -> ids [B, L] and segments [B, L].

    Args:
        vocabulary: number of ids, from 0 on.
        remedy: what the message about another id says to do.

    Raises:
        ConfigError: in `forward`, if a row has an id beyond the vocabulary.
    """

    def __init__(self, vocabulary: int, remedy: str) -> None:
        super().__init__()
        self.known = IdBounds(vocabulary, "token id", remedy)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        ids, segments = rows.unbind(2)
        self.known.check(ids)
        return ids, segments


class TokenPool(nn.Module):
    """Map -> vectors [B, C]: the features of the first token, or the mean over all but padding.

    Args:
        pool: first or mean.
    """

    def __init__(self, pool: str) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, values: Tensor) -> Tensor:
        features, segments = take_apart(values)
        if self.pool == "first":
            return features[:, 0]
        real = (segments > 0).to(features.dtype).unsqueeze(2)
        return (features * real).sum(1) / real.sum(1).clamp_min(1)
