"""Answers as they were written, for metrics that compare texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from mtlrun.data.text.encode import NO_WORD
from mtlrun.data.text.example import Passage, TextExample


@dataclass(frozen=True, slots=True)
class WrittenAnswers:
    """Gold answers of a row, and its passage behind its tokens; see `mtlrun.types.AnswerTexts`.

    words: [L], the word that each token belongs to, counted through the question and the passage; -1 for none.
    asked: words of the question.
    """

    words: Tensor
    asked: int
    passage: Passage
    gold: Sequence[str]

    def written(self, first: int, last: int) -> str:
        """What stands from the first word to the last in the passage; '' if these tokens are no words of it."""
        begin, end = (int(self.words[token]) for token in (first, last))
        if NO_WORD in (begin, end) or begin < self.asked:
            return ""
        return self.passage.between(begin - self.asked, end - self.asked)


@dataclass(frozen=True)
class AnswerTable:
    """The written answers of a source's rows.

    examples: N, each with its passage.
    words: [N, L], see `mtlrun.data.text.encode.TokenRows`.
    """

    examples: Sequence[TextExample]
    words: Tensor

    def of(self, rows: Tensor) -> list[WrittenAnswers]:
        """Those of the given rows [B]."""
        return [self._of(row) for row in rows.tolist()]

    def _of(self, row: int) -> WrittenAnswers:
        example = self.examples[row]
        assert example.passage is not None
        return WrittenAnswers(self.words[row], len(example.first), example.passage, example.gold)
