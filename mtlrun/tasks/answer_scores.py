"""Scores of answers as texts, by the rules of SQuAD.

Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016, arXiv:1606.05250, section
6.1, and "Know What You Don't Know", ACL 2018, arXiv:1806.03822: answers are compared in small letters, without ASCII
punctuation and the articles a, an and the, and with single spaces. Punctuation goes without leaving a space: U.S. is
us. A question without an answer is right if nothing is said.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


def compared_words(text: str) -> list[str]:
    """What is compared of an answer."""
    return _ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def answer_scores(said: str, gold: Sequence[str]) -> tuple[float, float]:
    """(exact match, F1), each the best over the gold answers; those of which nothing is left stand for no answer."""
    answers = [words for words in map(compared_words, gold) if words] or [[]]
    words = compared_words(said)
    return float(words in answers), max(_f1(words, answer) for answer in answers)


def _f1(words: list[str], answer: list[str]) -> float:
    """F1 of the words in common, each as often as both have it; 1 if both have none."""
    if not words or not answer:
        return float(words == answer)
    common = (Counter(words) & Counter(answer)).total()
    return 2 * common / (len(words) + len(answer))
