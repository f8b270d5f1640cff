"""One class per token of a text: parts of speech, named entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import Metric

from mtlrun.options import below
from mtlrun.tasks.arguments import check_classes, check_shape, class_names
from mtlrun.tasks.base import Replacements, Task
from mtlrun.tasks.class_weights import ClassWeights
from mtlrun.tasks.entity_scores import OUTSIDE, UNLABELLED, EntityScores, entity_types
from mtlrun.tasks.known_scores import TokenAccuracy
from mtlrun.tasks.numerics import full_precision, mean_present
from mtlrun.tasks.token_head import TokenHead, stretch
from mtlrun.types import Feature

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TokenClassification(Task):
    """Targets: class indices, int64 [N, L], -1 for tokens without a label. Output: logits [n, K, L].

    If the classes are the tags O, B-TYPE and I-TYPE, the task is judged by the F1 of whole entities, see
    `EntityScores`; otherwise by accuracy over all labelled tokens. Higher is better.

    Args:
        name: the task's name.
        classes: names of the K classes, or K.
        dropout: share of a token's features dropped before the last layer.
        class_weights: weight of each class's tokens in the loss: a list [K], 'balanced' (inverse frequency in the
            training data, mean 1 over its tokens) or 'sqrt' (its square root: gentler).
        head, loss, metrics, judge: replace the kind's own, see `Task`. Metrics get the chosen classes and the
            labels, int64 [n, L].

    Raises:
        ConfigError: if an argument is out of its range.
    """

    def __init__(
        self,
        name: str,
        classes: int | Sequence[str],
        *,
        dropout: float = 0.0,
        class_weights: str | Sequence[float] | None = None,
        **replacements: Unpack[Replacements],
    ) -> None:
        self.classes = class_names(name, "classes", classes, least=2)
        self.types = entity_types(self.classes)
        self.default_judge = "accuracy" if self.types is None else "f1"
        super().__init__(name, **replacements)
        self.dropout = below(f"dropout of task '{name}'", dropout, 0, 1)
        self.class_weights = ClassWeights(name, class_weights, len(self.classes))
        self.higher_is_better()  # refuses a judge that is no metric

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        """Raises ConfigError for inputs that are no text, or a backbone without maps of tokens."""
        return TokenHead(self.name, features, input_shape, self.outputs, self.dropout)

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Weighted cross-entropy [n]: mean over the row's labelled tokens, 0 if it has none."""
        logits, target = full_precision(output), target.long()
        weights = self.class_weights.like(logits)
        tokens = cross_entropy(logits, target, weights, ignore_index=UNLABELLED, reduction="none")
        return mean_present(tokens, target != UNLABELLED)

    def default_metrics(self) -> dict[str, Metric]:
        """accuracy over the labelled tokens; for entity tags also f1, precision, recall and f1_<type>."""
        accuracy = TokenAccuracy(self.outputs, average="micro", ignore_index=UNLABELLED, validate_args=False)
        return {"accuracy": accuracy} | ({} if self.types is None else {"entities": EntityScores(self.classes)})

    def fit(self, targets: Tensor) -> None:
        self.class_weights.fit(targets[targets != UNLABELLED])

    def constants(self) -> dict[str, Any]:
        return dict(self.class_weights.constants())

    def set_constants(self, constants: Mapping[str, Any]) -> None:
        self.class_weights.set_constants(constants)

    def check(self, targets: Tensor) -> None:
        check_shape(self.name, targets, "[N, L]", targets.dim() == 2)
        check_classes(self.name, targets, self.outputs, ignored=UNLABELLED)

    def metric_inputs(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return self.predict(output), target.long()

    def predict(self, output: Tensor) -> Tensor:
        """The most likely class of each token, int64 [n, L]."""
        return output.max(1).indices  # argmax takes many times as long over few classes on a CPU

    def answer(self, output: Tensor) -> Tensor:
        """Probabilities [n, K, L]."""
        return full_precision(output).softmax(1)

    def said(self, answer: Tensor) -> Tensor:
        return answer.max(1).indices

    def in_words(self, answer: Tensor, words: Sequence[str], places: Sequence[int]) -> dict[str, Any]:
        """'Anna/B-PER sings/O ...': a word has the class of its first token; words that were cut off are left out."""
        classes = answer.max(0).indices
        first = {word: place for place, word in reversed([*enumerate(places)]) if word >= 0}
        return {"": " ".join(f"{words[word]}/{self.classes[int(classes[first[word]])]}" for word in sorted(first))}

    def describe(self, value: Tensor) -> str:
        """Entities with their tokens, counted from 0, such as 'PER 3-4, LOC 7'; else the labelled tokens' classes."""
        tags = [(position, self.classes[tag]) for position, tag in enumerate(value.tolist()) if tag != UNLABELLED]
        if self.types is None:
            return " ".join(name for _, name in tags)
        spans: list[tuple[str, int, int]] = []
        before = OUTSIDE
        for position, name in tags:
            if name != OUTSIDE and (name.startswith("B-") or name[2:] != before[2:]):
                spans.append((name[2:], position, position))
            elif name != OUTSIDE:
                spans[-1] = (*spans[-1][:2], position)
            before = name
        return ", ".join(f"{kind} {stretch(first, last)}" for kind, first, last in spans) or "none"

    def is_right(self, target: Tensor, prediction: Tensor) -> bool | None:
        known = target != UNLABELLED
        return torch.equal(target[known].long(), prediction[known])

    def draw(self, axes: Axes, target: Tensor, prediction: Tensor | None = None) -> None:
        """Write what `describe` says; of a prediction only the labelled tokens."""
        if prediction is not None:
            prediction = prediction.masked_fill(target == UNLABELLED, UNLABELLED)
        super().draw(axes, target, prediction)
