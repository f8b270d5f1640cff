"""Area under the ROC curve per label, where it exists."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.classification import MultilabelAUROC
from torchmetrics.functional.classification import multilabel_auroc
from torchmetrics.utilities import dim_zero_cat

MISSING = -1
"""Integer that stands for an unknown entry."""


class LabelAUROC(MultilabelAUROC):
    """Mean AUROC over the labels that have both a positive and a negative row; NaN if no label has.

    torchmetrics counts a label with one class as 0, below chance, warns at every evaluation, and fails on a label that
    is known nowhere. So it only sees the others.
    """

    def __init__(self, num_labels: int) -> None:
        super().__init__(num_labels, average="macro", ignore_index=MISSING, validate_args=False)

    def compute(self) -> Tensor:  # type: ignore[override]
        scores, target = dim_zero_cat(self.preds), dim_zero_cat(self.target)
        defined = (target == 1).any(0) & (target == 0).any(0)
        if not defined.any():
            return scores.new_tensor(torch.nan)
        return multilabel_auroc(
            scores[:, defined], target[:, defined], int(defined.sum()), ignore_index=MISSING, validate_args=False
        )
