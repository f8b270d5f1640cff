"""Several yes/no labels per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torchmetrics import Metric

from mtlrun.errors import DataError
from mtlrun.tasks.arguments import check_shape, class_names
from mtlrun.tasks.auroc import MISSING, LabelAUROC
from mtlrun.tasks.base import Replacements, Task
from mtlrun.tasks.heads import VectorHeadOptions
from mtlrun.tasks.known_scores import EntryAccuracy, LabelF1
from mtlrun.tasks.numerics import full_precision, mean_present
from mtlrun.types import Feature

THRESHOLD = 0.5
"""A label whose probability is above this is said to be there."""


class MultiLabel(Task):
    """Targets: [N, L] of 0 and 1, NaN where an entry is not known. Output: logits [n, L].

    Judged by AUROC, higher is better: unlike F1 it does not hang on the threshold 0.5, which rare labels do
    not reach for many epochs (their F1 is 0 until then, and no relative gain can be computed from a 0).

    Args:
        name: the task's name.
        labels: names of the L labels, or L.
        hidden: units of the head's ReLU layers before the last one.
        dropout: share of units dropped before each layer of the head.
        head, loss, metrics, judge: replace the kind's own, see `Task`. Metrics get probabilities [n, L] and
            integer labels [n, L] with -1 for unknown entries (torchmetrics: `ignore_index: -1`).

    Raises:
        ConfigError: if an argument is out of its range.
    """

    default_judge = "auroc"

    def __init__(
        self,
        name: str,
        labels: int | Sequence[str],
        *,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        **replacements: Unpack[Replacements],
    ) -> None:
        super().__init__(name, **replacements)
        self.labels = class_names(name, "labels", labels, least=1)
        self.head_options = VectorHeadOptions(name, hidden, dropout)
        self.higher_is_better()  # refuses a judge that is no metric

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        return self.head_options.build(features, self.outputs)

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Binary cross-entropy [n]: mean over the row's known entries, 0 for a row without any."""
        logits = full_precision(output)
        known = ~target.isnan()
        answers = torch.where(known, target, 0).to(logits.dtype)
        return mean_present(binary_cross_entropy_with_logits(logits, answers, reduction="none"), known)

    def default_metrics(self) -> dict[str, Metric]:
        """Accuracy over all known entries; F1 and AUROC averaged over the labels that they are defined for."""
        num_labels, unknown = self.outputs, MISSING
        return {
            "accuracy": EntryAccuracy(num_labels, average="micro", ignore_index=unknown, validate_args=False),
            "f1": LabelF1(num_labels, average="none", ignore_index=unknown, validate_args=False),
            "auroc": LabelAUROC(num_labels),
        }

    def check(self, targets: Tensor) -> None:
        fits = targets.dim() == 2 and targets.shape[1] == self.outputs
        check_shape(self.name, targets, f"[N, {self.outputs}]", fits)
        wrong = ~((targets == 0) | (targets == 1) | targets.isnan())
        if wrong.any():
            found = targets[wrong][0].item()
            raise DataError(f"labels of task '{self.name}' must be 0, 1 or NaN (not known), found {found:g}")

    def metric_inputs(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return output.sigmoid(), torch.where(target.isnan(), MISSING, target).long()

    def predict(self, output: Tensor) -> Tensor:
        """1 where the probability is above one half, [n, L]."""
        return (output > 0).to(output.dtype)

    def answer(self, output: Tensor) -> Tensor:
        """Probabilities [n, L]."""
        return full_precision(output).sigmoid()

    def reading(self) -> dict[str, Any]:
        return {"threshold": THRESHOLD}

    def said(self, answer: Tensor) -> Tensor:
        return (answer > THRESHOLD).to(answer.dtype)

    def cells(self, answer: Tensor) -> dict[str, Any]:
        present = [label for label, p in zip(self.labels, answer.tolist()) if p > THRESHOLD]
        return {"": ", ".join(present) or "none", **dict(zip(self.labels, answer.tolist()))}

    def describe(self, value: Tensor) -> str:
        present = [label for label, entry in zip(self.labels, value.tolist()) if entry == 1]
        unknown = [f"{label}?" for label, entry in zip(self.labels, value.tolist()) if entry != entry]
        return ", ".join(present + unknown) or "none"

    def is_right(self, target: Tensor, prediction: Tensor) -> bool | None:
        known = ~target.isnan()
        return bool((target[known] == prediction[known]).all())
