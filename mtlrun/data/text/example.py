"""A text with what is known of it, before it becomes numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NO_ANSWER = (-1, -1)
"""Stands among the answers of a question that the text does not answer."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text as it was written, and where in it each of its words begins and ends."""

    text: str
    begins: Sequence[int]
    ends: Sequence[int]

    def between(self, first: int, last: int) -> str:
        """What is written from one word to another."""
        return self.text[self.begins[first] : self.ends[last]]

    def after(self, word: int) -> Passage:
        """The same text, of whose words the first `word` are left out."""
        return Passage(self.text, self.begins[word:], self.ends[word:])


@dataclass(frozen=True, slots=True)
class TextExample:
    """One text, or a question and the text that answers it. Labels that are None are not known.

    first, second: words; second is empty for a single text.
    tags, pos: of each word of the first, then of the second; -1 for none.
    sentiment: of the whole.
    answers: first and last word of each gold answer, counted from the first word of `first`.
    group: number of the article it is from, which stays in one split; None for a text by itself.
    passage: `second` as it was written, if answers are compared as texts.
    gold: the gold answers as they were written; none for a question without an answer.
    """

    first: Sequence[str]
    second: Sequence[str] = ()
    tags: Sequence[int] | None = None
    pos: Sequence[int] | None = None
    sentiment: int | None = None
    answers: Sequence[tuple[int, int]] | None = None
    group: int | None = None
    passage: Passage | None = None
    gold: Sequence[str] = ()
