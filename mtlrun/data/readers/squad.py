"""Questions whose answer is a stretch of a paragraph: SQuAD 1.1 and 2.0.

Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016, arXiv:1606.05250, and "Know
What You Don't Know: Unanswerable Questions for SQuAD", ACL 2018, arXiv:1806.03822. The test labels are not public.
Training aims at whole words, which are runs of letters and digits, or single other characters: answers are widened to
them. Scores compare texts as they are written, so paragraphs, their words' places and the gold answers are kept.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from mtlrun.data.readers.corpus_files import corpus_folder, find_file
from mtlrun.data.readers.plain_files import read_text
from mtlrun.data.text.example import NO_ANSWER, Passage, TextExample
from mtlrun.errors import DataError

FILES = {
    "train": ("train-v1.1.json", "train-v2.0.json"),
    "test": ("dev-v1.1.json", "dev-v2.0.json"),
}
HOME = (
    "train-v1.1.json and dev-v1.1.json, or train-v2.0.json and dev-v2.0.json "
    "(https://rajpurkar.github.io/SQuAD-explorer), or Parquet with context, question and answers"
)

FRAME = 3
"""Special tokens of a row with two texts."""

WORD = re.compile(r"\w+|[^\w\s]")


def read_qa(folder: Path) -> dict[str, list[TextExample]]:
    """Questions with their whole paragraphs, grouped by article; the development set is the split `test`.

    Raises:
        DataError: if files are absent or damaged, or of two versions.
    """
    folder = corpus_folder("qa", folder, FILES["train"])
    train = find_file("qa", folder, FILES["train"], HOME)
    test = find_file("qa", folder, [train.name.replace("train", "dev")], HOME)
    return {split: _read(path) for split, path in (("train", train), ("test", test))}


def split_words(text: str) -> list[str]:
    """Runs of letters and digits, and all other characters but spaces."""
    return WORD.findall(text)


def window(example: TextExample, pieces: Mapping[str, list[int]], length: int, stride: int) -> TextExample:
    """The example with its paragraph from the place on where a row of `length` tokens holds the first answer.

    Rows begin every `stride` tokens of a paragraph, and the first one with the whole answer is taken. For training
    rows only: where a row begins must not tell where the answer is.
    """
    asked = min(sum(len(pieces[word]) for word in example.first), length // 2 - 2)
    room = length - FRAME - asked
    ends = list(accumulate(len(pieces[word]) for word in example.second))  # tokens up to each word
    if ends[-1] <= room or not example.answers or example.answers[0] == NO_ANSWER:
        return example
    first, last = (token - len(example.first) for token in example.answers[0])
    start = 0
    while start <= first:
        begun = ends[start - 1] if start else 0
        if ends[last] - begun <= room:
            break
        start = bisect_left(ends, begun + stride) + 1
    if not 0 < start <= first:
        return example
    answers = [(one - start, other - start) for one, other in example.answers if one - start >= len(example.first)]
    passage = example.passage and example.passage.after(start)
    return replace(example, second=example.second[start:], answers=answers, passage=passage)


def _read(path: Path) -> list[TextExample]:
    try:
        articles = json.loads(read_text(path))["data"]
        found = [
            example
            for number, article in enumerate(articles)
            for paragraph in article["paragraphs"]
            for example in asked(path, paragraph, number)
        ]
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: damaged or cut off ({error.msg}), fetch it again") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not in SQuAD's format ({type(error).__name__}: {error})") from error
    if not found:
        raise DataError(f"{path} has no questions: fetch it again")
    return found


def asked(path: Path, paragraph: Mapping[str, Any], article: int) -> Iterator[TextExample]:
    """The questions to a paragraph.

    Args:
        path: of the file, for messages.
        paragraph: context, and qas with id, question, answers (text and answer_start) and is_impossible.
        article: its number.

    Raises:
        DataError: if an answer is not where it should be.
    """
    matches = list(WORD.finditer(paragraph["context"]))
    words = [match[0] for match in matches]
    passage = Passage(paragraph["context"], [m.start() for m in matches], [m.end() for m in matches])
    for question in paragraph["qas"]:
        first = split_words(question["question"])
        answers = [_span(path, question["id"], passage, answer, len(first)) for answer in question["answers"]]
        if not answers and not question.get("is_impossible", False):
            raise DataError(f"{path}: question {question['id']} has no answer")
        gold = [answer["text"] for answer in question["answers"]]
        yield TextExample(first, words, answers=answers or [NO_ANSWER], group=article, passage=passage, gold=gold)


def _span(path: Path, question: str, passage: Passage, answer: Mapping[str, Any], offset: int) -> tuple[int, int]:
    """First and last word of an answer, counted from the question's first word."""
    begin, text = answer["answer_start"], answer["text"]
    end = begin + len(text)
    first, last = bisect_right(passage.ends, begin), bisect_left(passage.begins, end) - 1
    if passage.text[begin:end] != text or last < first:
        raise DataError(f"{path}: the answer '{text[:40]}' of question {question} is not at {begin} in its paragraph")
    return offset + first, offset + last
