"""Answers compared as texts, by the rules of SQuAD."""

import random

import pytest
import torch
from torchmetrics.functional.text import squad

from mtlrun.tasks.answer_scores import answer_scores, compared_words
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.span_extraction import SpanExtraction


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The  National Football\tLeague", ["national", "football", "league"]),
        ("an apple, a Pear & the plum.", ["apple", "pear", "plum"]),
        ("theatre of Athens", ["theatre", "of", "athens"]),  # articles are whole words
        ("U.S.", ["us"]),  # punctuation leaves no space
        ("1815-1852", ["18151852"]),
        ("a-the", ["athe"]),  # punctuation goes before articles
        ("“Über”—alles", ["“über”—alles"]),  # only ASCII's punctuation goes
        ("The.", []),
    ],
)
def test_what_is_compared(text: str, words: list[str]) -> None:
    assert compared_words(text) == words


@pytest.mark.parametrize(
    ("said", "gold", "expected"),
    [
        ("the National Football League", ["National Football League"], (1, 1)),
        ("Denver Broncos", ["Denver Broncos", "The Denver Broncos"], (1, 1)),
        ("Santa Clara", ["Santa Clara, California", "Levi's Stadium"], (0, 0.8)),
        ("the the cat", ["cat cat"], (0, 2 / 3)),  # each word as often as both have it
        ("gold", ["silver"], (0, 0)),
        ("", [], (1, 1)),  # rightly no answer
        ("something", [], (0, 0)),
        ("the", [], (1, 1)),
        ("", ["Paris"], (0, 0)),
    ],
)
def test_scores_by_hand(said: str, gold: list[str], expected: tuple[float, float]) -> None:
    assert answer_scores(said, gold) == pytest.approx(expected)


def test_they_are_those_of_an_independent_implementation() -> None:
    draw = random.Random(0)
    words = ["The", "a", "U.S.", "cat", "Cat,", "dog", "an", "(dog)", "1,000", "'s"]
    for number in range(60):
        said, *gold = (" ".join(draw.choices(words, k=draw.randint(1, 5))) for _ in range(4))
        if not all(map(compared_words, (said, *gold))):
            continue  # the script of 1.1 knows no empty answers
        target = {"answers": {"answer_start": [0] * 3, "text": gold}, "id": str(number)}
        theirs = squad({"prediction_text": said, "id": str(number)}, target)
        ours = answer_scores(said, gold)
        assert [100 * score for score in ours] == pytest.approx([theirs["exact_match"].item(), theirs["f1"].item()])


class Row:
    """Tokens are the words of a text."""

    def __init__(self, text: str, *gold: str) -> None:
        self.tokens, self.gold = text.split(), gold

    def written(self, first: int, last: int) -> str:
        return "" if first == 0 else " ".join(self.tokens[first : last + 1])


def test_the_task_compares_texts_where_the_data_has_them() -> None:
    """By places the first is wrong, and the second, which says the same elsewhere, too."""
    rows = [Row("- in the National Football League", "National Football League"), Row("- Ada met Ada", "Ada")]
    output = torch.zeros(2, 2, 6)
    for row, (first, last) in enumerate([(2, 5), (3, 3)]):
        output[row, 0, first] = output[row, 1, last] = 9
    target = torch.tensor([[[3, 5]], [[1, 1]]])
    task = SpanExtraction("t")
    for texts, expected in ((rows, (1, 1)), (None, (0, (6 / 7) / 2))):
        metrics = task.make_metrics()
        task.update_metrics(metrics, output, target, texts)
        assert compute_metrics(metrics) == pytest.approx(dict(zip(("exact_match", "f1"), expected)))


def test_an_answer_that_was_cut_off_may_be_said_elsewhere() -> None:
    task, output = SpanExtraction("t", unanswerable=True), torch.zeros(1, 2, 4)
    output[0, :, 1] = 9
    metrics = task.make_metrics()
    task.update_metrics(metrics, output, torch.full((1, 1, 2), -1), [Row("- Ada wrote", "Ada")])
    assert compute_metrics(metrics) == {"exact_match": 1, "f1": 1}
