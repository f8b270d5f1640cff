"""Scores of answers that are stretches of tokens."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

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

    As in Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016,
    arXiv:1606.05250, but by the places of the tokens: its script compares the words themselves, without articles and
    punctuation, and in per cent. So the numbers are not to be compared with published ones. A row without a gold answer
    among its tokens counts 0.
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

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Spans int64 [n, 1, 2], and gold answers int64 [n, G, 2] filled up with -1."""
        hits = (prediction == target).all(2).any(1).float()
        self.hits.extend(hits.unbind())
        self.overlaps.extend(overlap_f1(prediction[:, 0], target).amax(1).unbind())

    def compute(self) -> dict[str, Tensor]:
        return {name: torch.stack(rows).mean() for name, rows in zip(self.names, (self.hits, self.overlaps))}
