"""torchmetrics' scores over what is known, with NaN where nothing is; there they are 0."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy, MultilabelAccuracy, MultilabelF1Score


class EntryAccuracy(MultilabelAccuracy):
    """Accuracy over all known entries, for average="micro"; NaN if there is none."""

    def compute(self) -> Tensor:
        return torch.where(counted(self).any(), super().compute(), torch.nan)


class TokenAccuracy(MulticlassAccuracy):
    """Accuracy over all labelled tokens, for average="micro"; NaN if there is none."""

    def compute(self) -> Tensor:
        return torch.where(counted(self).any(), super().compute(), torch.nan)


class LabelF1(MultilabelF1Score):
    """Mean F1 over the labels with a known entry, from those of average="none"; NaN if there is none."""

    def compute(self) -> Tensor:
        return super().compute()[counted(self) > 0].mean()


def counted(score: MultilabelAccuracy | MulticlassAccuracy | MultilabelF1Score) -> Tensor:
    """Known entries that the score has seen, of each label or of all together."""
    true_positives, false_positives, true_negatives, false_negatives = score._final_state()
    return true_positives + false_positives + true_negatives + false_negatives
