"""Texts as rows of tokens, and their labels as labels of tokens."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlrun.data.text.example import NO_ANSWER, TextExample
from mtlrun.data.text.labels import UNLABELLED
from mtlrun.data.text.vocabulary import Vocabulary

NO_WORD = -1


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Encoded texts.

    tokens: int64 [N, L, 2]: number of each token, and its segment: 0 padding, 1 first text, 2 second text.
    words: int64 [N, L]: the word that each token belongs to, counted through both texts; -1 for none.
    cut: rows that have lost words.
    """

    tokens: Tensor
    words: Tensor
    cut: int


def encode(examples: Sequence[TextExample], vocabulary: Vocabulary, length: int) -> TokenRows:
    """[CLS] first [SEP] second [SEP] with the vocabulary's separators, or [CLS] first [SEP]; no word is cut in two.

    Texts are cut where the row ends; the first of two gets what the second leaves free, and half the row at least.
    """
    pieces = vocabulary.pieces(chain.from_iterable(chain(example.first, example.second) for example in examples))
    tokens = np.zeros((len(examples), length, 2), np.int64)
    tokens[..., 0] = vocabulary.padding
    words = np.full((len(examples), length), NO_WORD, np.int64)
    cut = 0
    for row, example in enumerate(examples):
        made = _Row([vocabulary.start], [1], [NO_WORD])
        between = vocabulary.between if example.second else 1
        made.add(example.first, pieces, 0, _most_of_first(example, pieces, length, between))
        made.close(vocabulary.separator, between)
        if example.second:
            made.add(example.second, pieces, len(example.first), length)
            made.close(vocabulary.separator)
        tokens[row, : len(made.numbers)] = np.array([made.numbers, made.segments]).T
        words[row, : len(made.words)] = made.words
        cut += made.cut
    return TokenRows(torch.from_numpy(tokens), torch.from_numpy(words), cut)


def _most_of_first(example: TextExample, pieces: Mapping[str, list[int]], length: int, between: int) -> int:
    """Tokens within which a first text and one separator end, so that the second text has its room."""
    if not example.second:
        return length
    second = sum(len(pieces[word]) for word in example.second[:length])  # a word has one token at least
    return max(length // 2, length - second - between)


@dataclass(slots=True)
class _Row:
    """A row that grows: number, segment and word of each token, whether a word had no room, and the next segment."""

    numbers: list[int]
    segments: list[int]
    words: list[int]
    cut: bool = False
    segment: int = 1

    def add(self, text: Sequence[str], pieces: Mapping[str, list[int]], offset: int, most: int) -> None:
        """Words, counted from `offset`, as long as they and a separator end within `most` tokens."""
        found = [pieces[word] for word in text[:most]]  # a word has one token at least
        sizes = [len(piece) for piece in found]
        fitting = bisect_right(list(accumulate(sizes)), most - 1 - len(self.numbers))
        begin = len(self.numbers)
        self.cut |= fitting < len(text)
        self.numbers.extend(chain.from_iterable(found[:fitting]))
        self.segments.extend([self.segment] * (len(self.numbers) - begin))
        self.words.extend(np.repeat(np.arange(offset, offset + fitting), sizes[:fitting]).tolist())

    def close(self, separator: int, times: int = 1) -> None:
        """Separators, which belong to the text before them; what comes after them is the next text."""
        self.numbers += [separator] * times
        self.segments += [self.segment] * times
        self.words += [NO_WORD] * times
        self.segment += 1


def token_labels(labels: Sequence[Sequence[int]], words: Tensor) -> Tensor:
    """Labels of words as labels [N, L] of their first tokens; -1 for the other tokens.

    Args:
        labels: of the words of each row.
        words: [N, L], see `TokenRows`.
    """
    table = np.full((len(labels), max(map(len, labels), default=0) + 1), UNLABELLED, np.int64)
    for row, values in enumerate(labels):
        table[row, : len(values)] = values  # the last column stays free: -1 points at it
    found = torch.from_numpy(table).gather(1, words % table.shape[1])
    return found.masked_fill(~_first_tokens(words), UNLABELLED)


def span_targets(answers: Sequence[Sequence[tuple[int, int]]], words: Tensor) -> Tensor:
    """Gold answers as first and last token, int64 [N, G, 2], filled up with -1; those that were cut are left out.

    Args:
        answers: first and last word of each gold answer of each row; NO_ANSWER becomes the first token.
        words: [N, L], see `TokenRows`.
    """
    positions = words.numpy()
    spans = [
        [_tokens_of(*answer, positions[row]) for answer in dict.fromkeys(given)] for row, given in enumerate(answers)
    ]
    kept = [[span for span in found if span] for found in spans]
    targets = np.full((len(kept), max([1, *map(len, kept)]), 2), UNLABELLED, np.int64)
    for row, found in enumerate(kept):
        targets[row, : len(found)] = np.array(found).reshape(-1, 2)
    return torch.from_numpy(targets)


def _tokens_of(first: int, last: int, words: NDArray[np.int64]) -> tuple[int, int] | None:
    """First and last token of an answer; None if one of them was cut off."""
    if (first, last) == NO_ANSWER:
        return 0, 0
    begin, end = (words == first).nonzero()[0], (words == last).nonzero()[0]
    return (int(begin[0]), int(end[-1])) if len(begin) and len(end) else None


def _first_tokens(words: Tensor) -> Tensor:
    """Where a word begins: bool [N, L]."""
    before = torch.cat([words.new_full((len(words), 1), NO_WORD), words[:, :-1]], 1)
    return (words != NO_WORD) & (words != before)
