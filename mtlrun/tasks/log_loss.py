"""Log loss of yes/no answers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy
from torchmetrics import Metric


class LogLoss(Metric):
    """Mean binary cross-entropy of probabilities [n, L] over known answers [n, L]; NaN if there is none.

    Answers are 0 and 1, and -1 for unknown. Logarithms are at least -100, as in torch.
    """

    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        known = target >= 0
        self.total += binary_cross_entropy(preds[known].double(), target[known].double(), reduction="sum")
        self.count += known.sum()

    def compute(self) -> Tensor:
        return torch.where(self.count > 0, self.total / self.count, torch.nan).float()
