"""Questions whose answer is a stretch of the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from torchmetrics import Metric

from mtlrun.errors import DataError
from mtlrun.options import below, whole
from mtlrun.tasks.arguments import check_shape
from mtlrun.tasks.base import Replacements, Task
from mtlrun.tasks.numerics import full_precision
from mtlrun.tasks.span_scores import ABSENT, SpanScores
from mtlrun.tasks.token_head import SpanHead, stretch
from mtlrun.types import AnswerTexts, Feature


class SpanExtraction(Task):
    """Targets: first and last token of up to G gold answers, int64 [N, G, 2], filled up with -1.

    Output: logits [n, 2, L] of the first and the last token. Answers lie in the second text of a row. Judged by `f1`,
    the words in common with the best gold answer, higher is better; also `exact_match`; see `SpanScores`. Training
    aims at the first gold answer. A row that has none among its tokens, since it was cut, has loss 0; compared by
    places it counts as missed.

    Args:
        name: the task's name.
        max_answer: tokens of an answer at most; longer spans are not predicted.
        unanswerable: whether some questions have no answer in the text; it is then the first token, (0, 0).
        dropout: share of a token's features dropped before the last layer.
        head, loss, metrics, judge: replace the kind's own, see `Task`. Metrics get the best spans [n, 1, 2] and the
            gold answers [n, G, 2].

    Raises:
        ConfigError: if an argument is out of its range.
    """

    default_judge = "f1"

    def __init__(
        self,
        name: str,
        *,
        max_answer: int = 30,
        unanswerable: bool = False,
        dropout: float = 0.0,
        **replacements: Unpack[Replacements],
    ) -> None:
        super().__init__(name, **replacements)
        self.max_answer = whole(f"max_answer of task '{name}'", max_answer)
        self.unanswerable = unanswerable
        self.dropout = below(f"dropout of task '{name}'", dropout, 0, 1)
        self.higher_is_better()  # refuses a judge that is no metric

    @property
    def outputs(self) -> int:
        return 2

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        """Raises ConfigError for inputs that are no text, or a backbone without maps of tokens."""
        return SpanHead(self.name, features, input_shape, self.dropout, self.unanswerable)

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean of the cross-entropies of the first and the last token [n], over all tokens of the row."""
        logits, first = full_precision(output), target[:, 0].long()
        ends = [cross_entropy(logits[:, end], first[:, end], ignore_index=ABSENT, reduction="none") for end in (0, 1)]
        return (ends[0] + ends[1]) / 2

    def default_metrics(self) -> dict[str, Metric]:
        """exact_match and f1, shares from 0 to 1."""
        return {"spans": SpanScores()}

    def check(self, targets: Tensor) -> None:
        fits = targets.dim() == 3 and targets.shape[2] == 2 and targets.shape[1] > 0
        check_shape(self.name, targets, "[N, G, 2]", fits)
        first, last = targets.unbind(2)
        if targets.is_floating_point() or (first < ABSENT).any() or ((first == ABSENT) != (last == ABSENT)).any():
            raise DataError(f"answers of task '{self.name}' must be whole numbers of at least 0, or -1 twice for none")
        if (last < first).any():
            raise DataError(f"answers of task '{self.name}' must not end before they begin")
        if not self.unanswerable and (first == 0).any():
            raise DataError(
                f"some questions of task '{self.name}' have no answer: set task.tasks.{self.name}.unanswerable=true"
            )

    def metric_inputs(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return self.predict(output), target.long()

    @torch.no_grad()
    def update_metrics(
        self,
        metrics: Mapping[str, Metric],
        output: Tensor,
        target: Tensor,
        texts: Sequence[AnswerTexts] | None = None,
    ) -> None:
        """As for every kind; the kind's own metrics compare the texts if there are any."""
        if len(target) == 0:
            return
        spans, gold = self.metric_inputs(full_precision(output), target)
        for metric in metrics.values():
            if isinstance(metric, SpanScores):
                metric.update(spans, gold, texts)
            else:
                metric.update(spans, gold)

    def predict(self, output: Tensor) -> Tensor:
        """The span with the largest sum of logits, int64 [n, 1, 2]; (0, 0) is the only one that begins at 0."""
        starts, ends = full_precision(output).unbind(1)
        width = min(self.max_answer, ends.shape[1])
        windows = pad(ends, (0, width - 1), value=-torch.inf).unfold(1, width, 1)  # [n, L, width]
        sums = starts.unsqueeze(2) + windows
        sums[:, 0, 1:] = -torch.inf
        best = sums.flatten(1).argmax(1)
        first = best // width
        return torch.stack([first, first + best % width], 1).unsqueeze(1)

    def in_words(self, answer: Tensor, words: Sequence[str], places: Sequence[int]) -> dict[str, Any]:
        """The words of the answer; 'no answer' where the text has none."""
        first, last = answer[0].tolist()
        found = dict.fromkeys(word for word in places[first : last + 1] if word >= 0)
        return {"": " ".join(words[word] for word in found) or "no answer"}

    def describe(self, value: Tensor) -> str:
        """Tokens of each answer, counted from 0, such as '7-9 or 7'."""
        spans = dict.fromkeys(stretch(first, last) for first, last in value.tolist() if first != ABSENT)
        return " or ".join("no answer" if span == "0" else span for span in spans) or "cut off"

    def is_right(self, target: Tensor, prediction: Tensor) -> bool | None:
        return bool((target == prediction).all(1).any())
