"""Scores of answers that are stretches of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from mtlrun.tasks.answer_scores import answer_scores
from mtlrun.types import AnswerTexts

ABSENT = -1
"""First and last token of answers that are there to fill up."""


def overlap_f1(prediction: Tensor, gold: Tensor) -> Tensor:
    """F1 of the tokens in common with each gold answer: 2 * common / (length + length); 0 for absent ones.

    Args:
        prediction: first and last token, int64 [n, 2].
        gold: int64 [n, G, 2].

    Returns:
        [n, G], float32.
    """
    first, last = (torch.maximum, torch.minimum)
    spans = prediction.unsqueeze(1)
    common = (last(spans[..., 1], gold[..., 1]) - first(spans[..., 0], gold[..., 0]) + 1).clamp_min(0)
    lengths = (spans[..., 1] - spans[..., 0] + 1) + (gold[..., 1] - gold[..., 0] + 1)
    return torch.where(gold[..., 0] == ABSENT, 0, 2 * common / lengths)


class SpanScores(Metric):
    """exact_match and f1 of predicted spans, each the maximum over a row's gold answers, averaged over the rows.

    Where the data keeps the texts, they are compared by the rules of SQuAD, see `answer_scores`, but in shares and not
    in per cent; all gold answers count, also those that were cut off the row. Else the places of the tokens are
    compared, and a row without a gold answer among its tokens counts 0: such numbers are not those of SQuAD's script.
    """

    full_state_update = False
    higher_is_better = True
    names = ("exact_match", "f1")
    hits: list[Tensor]
    overlaps: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("hits", [], dist_reduce_fx="cat")  # one entry per row: entries are put into the rows' order
        self.add_state("overlaps", [], dist_reduce_fx="cat")

    def update(self, prediction: Tensor, target: Tensor, texts: Sequence[AnswerTexts] | None = None) -> None:
        """Spans int64 [n, 1, 2], and gold answers int64 [n, G, 2] filled up with -1, or n of them as texts."""
        if texts is not None:
            pairs = zip(prediction[:, 0].tolist(), texts)
            scores = [answer_scores(text.written(*span), text.gold) for span, text in pairs]
            self._add(torch.tensor(scores, device=prediction.device))
            return
        hits = (prediction == target).all(2).any(1).float()
        self._add(torch.stack([hits, overlap_f1(prediction[:, 0], target).amax(1)], 1))

    def _add(self, scores: Tensor) -> None:
        """Exact match and F1 of each row [n, 2]."""
        self.hits.extend(scores[:, 0].unbind())
        self.overlaps.extend(scores[:, 1].unbind())

    def compute(self) -> dict[str, Tensor]:
        return {name: torch.stack(rows).mean() for name, rows in zip(self.names, (self.hits, self.overlaps))}
