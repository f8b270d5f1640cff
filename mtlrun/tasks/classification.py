"""One class per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from mtlrun.options import below
from mtlrun.tasks.arguments import check_classes, check_shape, class_names
from mtlrun.tasks.base import Replacements, Task
from mtlrun.tasks.class_weights import ClassWeights
from mtlrun.tasks.heads import VectorHeadOptions
from mtlrun.tasks.numerics import full_precision
from mtlrun.types import Feature


class Classification(Task):
    """Targets: class indices, int64 [N]. Output: logits [n, K]. Judged by accuracy, higher is better.

    Args:
        name: the task's name.
        classes: names of the K classes, or K.
        hidden: units of the head's ReLU layers before the last one.
        dropout: share of units dropped before each layer of the head.
        label_smoothing: share of each label spread evenly over all classes, in [0, 1).
        class_weights: weight of each class's rows in the loss: a list [K], 'balanced' (inverse frequency in
            the training data, mean 1 over its rows) or 'sqrt' (its square root: gentler).
        head, loss, metrics, judge: replace the kind's own, see `Task`. Metrics get logits [n, K] and labels
            [n].

    Raises:
        ConfigError: if an argument is out of its range.
    """

    default_judge = "accuracy"

    def __init__(
        self,
        name: str,
        classes: int | Sequence[str],
        *,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        class_weights: str | Sequence[float] | None = None,
        **replacements: Unpack[Replacements],
    ) -> None:
        super().__init__(name, **replacements)
        self.classes = class_names(name, "classes", classes, least=2)
        self.head_options = VectorHeadOptions(name, hidden, dropout)
        self.label_smoothing = below(f"label_smoothing of task '{name}'", label_smoothing, 0, 1)
        self.class_weights = ClassWeights(name, class_weights, len(self.classes))
        self.higher_is_better()  # refuses a judge that is no metric

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        return self.head_options.build(features, self.outputs)

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy [n], times the weight of the row's class; not divided by the weights' sum."""
        logits = full_precision(output)
        weights = self.class_weights.like(logits)
        smoothing = self.label_smoothing
        return cross_entropy(logits, target.long(), weights, reduction="none", label_smoothing=smoothing)

    def default_metrics(self) -> dict[str, Metric]:
        """Accuracy over all rows; F1 averaged over the classes that occur in labels or predictions."""
        num_classes = self.outputs
        return {
            "accuracy": MulticlassAccuracy(num_classes, average="micro", validate_args=False),
            "f1": MulticlassF1Score(num_classes, average="macro", validate_args=False),
        }

    def fit(self, targets: Tensor) -> None:
        self.class_weights.fit(targets)

    def constants(self) -> dict[str, Any]:
        return dict(self.class_weights.constants())

    def set_constants(self, constants: Mapping[str, Any]) -> None:
        self.class_weights.set_constants(constants)

    def check(self, targets: Tensor) -> None:
        check_shape(self.name, targets, "[N]", targets.dim() == 1)
        check_classes(self.name, targets, self.outputs)

    def trivial_scores(self, train: Tensor, test: Tensor) -> dict[str, float]:
        """Accuracy of always naming the most frequent training class, where accuracy is the kind's own."""
        if self._metrics is not None or not len(train) or not len(test):
            return {}
        return {"accuracy": float((test == train.mode().values).double().mean())}

    def predict(self, output: Tensor) -> Tensor:
        """The most likely class, int64 [n]."""
        return output.argmax(1)

    def answer(self, output: Tensor) -> Tensor:
        """Probabilities [n, K]."""
        return full_precision(output).softmax(1)

    def said(self, answer: Tensor) -> Tensor:
        return answer.argmax(1)

    def cells(self, answer: Tensor) -> dict[str, Any]:
        return {"": self.classes[int(answer.argmax())], "p": float(answer.max())}

    def describe(self, value: Tensor) -> str:
        return self.classes[int(value)]

    def is_right(self, target: Tensor, prediction: Tensor) -> bool | None:
        return torch.equal(target.long(), prediction)
