"""Heads that put out something at every token of a text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from mtlrun.errors import ConfigError
from mtlrun.types import Feature

TEXT_FACTS = 2
"""Numbers that say all of a token: its id, and its segment: 0 padding, 1 first text, 2 second text."""

BARRED = -1e4
"""Logit of tokens that cannot be chosen: finite in half precision, and exp(-1e4) is 0."""


def stretch(first: int, last: int) -> str:
    """Tokens by their positions, such as '7-9' or '7'."""
    return f"{first}-{last}" if last > first else f"{first}"


def last_text_stage(task: str, features: Sequence[Feature], input_shape: Sequence[int]) -> int:
    """Index of the last stage whose pixels are tokens.

    Raises:
        ConfigError: if the input is no text, or no stage puts out maps that carry the tokens' segments.
    """
    if len(input_shape) != 2 or input_shape[1] != TEXT_FACTS:
        raise ConfigError(
            f"task '{task}' predicts per token and needs text (L, {TEXT_FACTS}), found inputs {tuple(input_shape)}"
        )
    stages = [stage for stage, feature in enumerate(features) if feature.stride is not None and feature.carried]
    if not stages:
        names = ", ".join(feature.name for feature in features)
        raise ConfigError(
            f"task '{task}' predicts per token, and none of this backbone's stages ({names}) puts out a map of "
            "tokens: choose backbone=transformer or backbone=bert"
        )
    return stages[-1]


class TokenHead(nn.Module):
    """A linear layer on each token of the last map [n, C + 1, 1, L]: -> [n, outputs, L].

    Args:
        task: for messages.
        features: what the stages put out, with at least one map of tokens.
        input_shape: (L, 2).
        outputs: numbers per token.
        dropout: share of features dropped before the layer, in [0, 1).

    Raises:
        ConfigError: if the input is no text, or the backbone puts out no map of tokens.
    """

    def __init__(
        self, task: str, features: Sequence[Feature], input_shape: Sequence[int], outputs: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.stage = last_text_stage(task, features, input_shape)
        self.channels = features[self.stage].channels
        self.dropout = nn.Dropout(dropout)
        self.layer = nn.Linear(self.channels, outputs)

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        tokens = outputs[self.stage][:, : self.channels, 0].transpose(1, 2)
        return self.layer(self.dropout(tokens)).transpose(1, 2)


class SpanHead(TokenHead):
    """Logits [n, 2, L] of the first and the last token of an answer, which lies in the words of the second text.

    Args:
        task, features, input_shape, dropout: see `TokenHead`.
        unanswerable: whether the first token of the row can be chosen too, for no answer.
    """

    def __init__(
        self,
        task: str,
        features: Sequence[Feature],
        input_shape: Sequence[int],
        dropout: float = 0.0,
        unanswerable: bool = False,
    ) -> None:
        super().__init__(task, features, input_shape, 2, dropout)
        self.unanswerable = unanswerable

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        segments = outputs[self.stage][:, self.channels]  # [n, 1, L]
        following = pad(segments[..., 1:], (0, 1))
        allowed = torch.minimum(segments, following).round() == 2  # the last token of the text is its separator
        if self.unanswerable:
            allowed = allowed | (torch.arange(segments.shape[2], device=segments.device) == 0)
        return super().forward(outputs).masked_fill(~allowed, BARRED)
