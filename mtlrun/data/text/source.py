"""Encoded texts as sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import torch
from torch import Tensor

from mtlrun.data.fingerprint import ids_of_texts
from mtlrun.data.source import TensorSource
from mtlrun.data.text.answers import AnswerTable
from mtlrun.data.text.encode import encode, span_targets, token_labels
from mtlrun.data.text.example import TextExample
from mtlrun.data.text.vocabulary import Vocabulary
from mtlrun.options import whole
from mtlrun.types import AnswerTexts

TASKS = ("ner", "pos", "sentiment", "qa")

SHORTEST = 8
"""Tokens of a row at least."""
TOKENS_PER_LINE = 6


class TokenSource(TensorSource):
    """Encoded texts that can be read again.

    Args:
        name, inputs, targets, labelled: see `TensorSource`.
        vocabulary: that they were encoded with.
        row_ids: see `TensorSource`; the numbers of the tokens depend on the training rows.
        answers: of task qa as they were written; None if they are compared by their places.
    """

    def __init__(
        self,
        name: str,
        inputs: Tensor,
        targets: Mapping[str, Tensor],
        labelled: Mapping[str, Tensor] | None,
        vocabulary: Vocabulary,
        row_ids: Tensor,
        answers: AnswerTable | None = None,
    ) -> None:
        super().__init__(name, inputs, targets, labelled, row_ids=row_ids)
        self._vocabulary, self._answers = vocabulary, answers

    def texts(self, task: str, rows: Tensor) -> list[AnswerTexts] | None:
        """The written answers of task qa."""
        return [*self._answers.of(rows)] if self._answers is not None and task == "qa" else None

    @property
    def vocabulary(self) -> Vocabulary:
        """What turned words into the numbers of the inputs."""
        return self._vocabulary

    def read(self, inputs: Tensor) -> list[str]:
        """The tokens of each row [L, 2], some to a line, behind the place of the line's first one."""
        return [self._lines(row[row[:, 1] > 0, 0].tolist()) for row in inputs]

    def _lines(self, numbers: list[int]) -> str:
        starts = range(0, len(numbers), TOKENS_PER_LINE)
        lines = [" ".join(map(self._vocabulary.token, numbers[start : start + TOKENS_PER_LINE])) for start in starts]
        return "\n".join(f"{start:>3} {line}" for start, line in zip(starts, lines))


def words_of(examples: Iterable[TextExample]) -> Iterator[str]:
    """All words, as often as they occur."""
    return chain.from_iterable(chain(example.first, example.second) for example in examples)


def check_length(option: str, length: int) -> int:
    """The value of an option that is the length of rows in tokens.

    Raises:
        ConfigError: if it is out of range.
    """
    return whole(f"data.{option}", length, SHORTEST, 4096)


def make_source(
    name: str,
    examples: Sequence[TextExample],
    vocabulary: Vocabulary,
    length: int,
    labelled: Mapping[str, Tensor] | None = None,
) -> tuple[TensorSource, int]:
    """A source with the tasks of TASKS that the first example has labels for, and the number of rows that were cut.

    Inputs int64 [N, L, 2]; targets: ner and pos int64 [N, L], sentiment int64 [N], qa int64 [N, G, 2].

    Args:
        name: of the source.
        examples: N, all with labels for the same tasks.
        vocabulary: turns words into numbers.
        length: L, tokens of a row.
        labelled: per task bool [N], for tasks that not every row counts for.
    """
    rows = encode(examples, vocabulary, length)
    targets: dict[str, Tensor] = {}
    if examples[0].tags is not None:
        targets["ner"] = token_labels([example.tags or () for example in examples], rows.words)
    if examples[0].pos is not None:
        targets["pos"] = token_labels([example.pos or () for example in examples], rows.words)
    if examples[0].sentiment is not None:
        targets["sentiment"] = torch.tensor([example.sentiment for example in examples])
    if examples[0].answers is not None:
        targets["qa"] = span_targets([example.answers or () for example in examples], rows.words)
    ids = ids_of_texts(" ".join((*example.first, "", *example.second)) for example in examples)
    written = "qa" in targets and all(example.passage is not None for example in examples)
    answers = AnswerTable(examples, rows.words.int()) if written else None
    return TokenSource(name, rows.tokens, targets, labelled, vocabulary, ids, answers), rows.cut
