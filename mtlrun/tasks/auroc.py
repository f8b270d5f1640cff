"""Area under the ROC curve per label, where it exists."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torchmetrics.classification import MultilabelAUROC

MISSING = -1
"""Integer that stands for an unknown entry."""


class LabelAUROC(MultilabelAUROC):
    """Mean AUROC over the labels that have both a positive and a negative row; NaN if no label has.

    torchmetrics counts a label with one class as 0, below chance, and warns at every evaluation.
    """

    def __init__(self, num_labels: int) -> None:
        super().__init__(num_labels, average="none", ignore_index=MISSING, validate_args=False)

    def compute(self) -> Tensor:  # type: ignore[override]
        target = torch.cat(self.target) if isinstance(self.target, list) else self.target
        defined = (target == 1).any(0) & (target == 0).any(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            per_label: Any = super().compute()
        return torch.atleast_1d(per_label)[defined].mean()
