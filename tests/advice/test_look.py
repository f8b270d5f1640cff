"""Stage 0: labels that say the same, and facts read off a built data set."""

import pytest
import torch
from advised import facts_of

from mtlrun.advice.facts import PairFacts, duplicates, fact_lines
from mtlrun.advice.look import _most, _pairs, equal_shares, is_scaled, look, rows_told
from mtlrun.data.source import Splits, TensorSource
from mtlrun.tasks.classification import Classification

N = 40
CLASSES = torch.arange(N) % 3
NUMBERS = torch.linspace(-1, 1, N)


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [
        (CLASSES, CLASSES.clone(), 1.0),
        (CLASSES, (CLASSES + 1) % 3, 1.0),  # other names
        (CLASSES, torch.where(torch.arange(N) < 10, (CLASSES + 1) % 3, CLASSES), 0.75),
        (CLASSES, torch.zeros(N, dtype=torch.long), 14 / 40),
        (NUMBERS, NUMBERS.clone(), 1.0),
        (NUMBERS, -NUMBERS, 0.0),
        (torch.stack([NUMBERS, NUMBERS], 1), torch.stack([NUMBERS, -NUMBERS], 1), 0.0),
        (CLASSES[:10], CLASSES[:10], None),
        (CLASSES, NUMBERS, None),
    ],
)
def test_labels_are_compared_row_by_row(first, second, share):
    assert equal_shares({"train": (first, second)}) == ({} if share is None else {"train": pytest.approx(share)})


def test_other_splits_are_compared_under_the_names_of_training():
    binary = torch.arange(N) % 2
    opposite = {"train": (binary, binary), "test": (binary, 1 - binary)}
    assert equal_shares(opposite) == {"train": 1.0, "test": 0.0}
    renamed = {"train": (binary, 1 - binary), "test": (binary, 1 - binary)}
    assert equal_shares(renamed) == {"train": 1.0, "test": 1.0}
    assert equal_shares({"test": (binary, binary)}) == {}


def test_numbers_in_another_unit_or_with_another_sign():
    assert is_scaled(NUMBERS, -3 * NUMBERS + 2)
    assert is_scaled(NUMBERS[:, None], 2 * NUMBERS[:, None])
    assert not is_scaled(NUMBERS, NUMBERS**3)
    assert not is_scaled(CLASSES, CLASSES)


SMALL = ["task=study_shortcut", "data.rows=60", "data.held_out=40", "trainer.batch_size=10"]


def test_the_facts_of_a_data_set():
    facts = look([*SMALL, "sharing=hard"], [*SMALL, "sharing=independent"])
    a = facts.task("a")
    assert (a.name, a.kind, a.metric, a.rows) == (
        "a",
        "Classification",
        "accuracy",
        {"train": 60, "val": 40, "test": 40},
    )
    assert 0.5 <= a.most <= 0.8
    (pair,) = facts.pairs
    assert (pair.common, pair.equal["train"], pair.equal["val"]) == (60, 1.0, 1.0)
    assert pair.equal["test"] == 0.0
    assert facts.all_the_same
    assert facts.differs_at_test
    assert (facts.length.key, facts.length.full, facts.steps, facts.stages) == ("trainer.epochs", 20, 120, ("layer1",))
    assert min(facts.hours.values()) > 0
    other = rows_told({"train": [{"name": "x", "rows": 1, "digest": "a", "sums": {"": [1.0]}}]})
    assert other != facts.data != rows_told({})
    assert other == rows_told({"train": [{"name": "x", "rows": 1, "digest": "a", "sums": {"": [1.0 + 1e-9]}}]})


def test_labels_beside_inputs_in_files_are_looked_at():
    class Mapped(TensorSource):
        in_memory, labels_in_memory = False, True

    labels = {name: torch.arange(40) % 2 for name in ("a", "b")}
    there = {name: torch.ones(40, dtype=torch.bool) for name in labels}
    train = [Mapped("rows", torch.zeros(40, 2), labels, there)]
    (pair,) = _pairs([*labels], Splits(train, train, train, ""))
    assert pair.same
    assert _most(Classification("a", classes=2), train) == 0.5


def test_what_is_worth_knowing_is_told():
    pairs = [PairFacts("a", "b", 20, {"train": 1.0, "val": 1.0, "test": 0.0}), PairFacts("a", "c", 0)]
    facts = facts_of({"a": 400, "b": 20, "c": 400}, pairs)
    lines = "\n".join(fact_lines(facts))
    assert "a 400 (Regression, rmse), b 20 (Regression, rmse)" in lines
    assert "a has 20 times the rows of the scarcest task; scarce: b" in lines
    assert "rows labelled for both of a pair: 0 to 100 % of the smaller" in lines
    assert (
        "a and b have the same labels (100 % of train rows, 100 % of val rows, 0 % of test rows): a network cannot"
        in lines
    )
    assert duplicates(pairs) == ["b"]
    assert not facts.all_the_same


def test_equal_labels_on_other_rows_are_not_one_task():
    pair = PairFacts("a", "b", 30, {"train": 1.0})
    assert facts_of({"a": 30, "b": 30}, [pair]).all_the_same
    assert not facts_of({"a": 30, "b": 60}, [pair]).all_the_same
