"""One warning each, before training: gaps, imbalance, identifiers, constant inputs, leaks, rows in two splits."""

import logging
import re

import numpy as np
import pytest
import torch

from mtlrun.data.duplicates import warn_of_duplicates
from mtlrun.data.infer import infer_labels
from mtlrun.data.label_warnings import Inspected, warn_before_training
from mtlrun.data.sets import arrays

N = 100
DRAWN = np.random.default_rng(0)
FAIR = np.arange(N) % 2
NUMBERS = DRAWN.normal(size=N)


def warned(caplog, labels, inputs=None, constant=()):
    """The warnings for labels by task and inputs by name."""
    found = {task: infer_labels(task, np.asarray(values), None, 1000) for task, values in labels.items()}
    seen = Inspected([*inputs], np.stack([*inputs.values()], 1).astype(float), constant) if inputs else None
    with caplog.at_level(logging.WARNING):
        warn_before_training(found, np.arange(60), seen)
    return caplog.messages


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        ({"a": np.where(NUMBERS > 1, -1, FAIR), "b": FAIR}, r"no label in some of the 60 training rows: a in \d+$"),
        (
            {"a": (np.arange(N) % 20 == 0) * 1},
            r"out of balance, so .*: a \(95 % are 0\); MultiLabel is judged",
        ),
        ({"id": np.arange(N)}, r"as many different labels as rows, .*: id; nothing of that"),
        ({"id": 5000.0 + np.arange(N)}, r"as many different labels as rows"),
    ],
)
def test_labels_are_warned_of(caplog, labels, line):
    [message] = warned(caplog, labels)
    assert re.match(line, message)


def with_gaps(values, every):
    """No value in every so-many-th row."""
    return np.where(np.arange(N) % every == 0, np.nan, values)


LEAKS = {
    "the classes themselves": (FAIR, FAIR),
    "their opposite": (FAIR, 1 - FAIR),
    "other names": (np.arange(N) % 3, (np.arange(N) + 1) % 3 * 10.0),
    "the numbers": (NUMBERS, NUMBERS),
    "another unit": (NUMBERS, 2.54 * NUMBERS - 32),
    "the classes, with gaps": (FAIR, with_gaps(FAIR, 10)),
    "three classes under other names, with gaps": (np.arange(N) % 3, with_gaps(7 - np.arange(N) % 3, 2)),
    "another unit, with gaps": (NUMBERS, with_gaps(2.2046 * NUMBERS, 10)),
    "one of two classes is a gap": (FAIR, with_gaps(np.ones(N), 2)),
}


@pytest.mark.parametrize("name", LEAKS)
def test_inputs_that_are_labels_are_told(caplog, name):
    label, column = LEAKS[name]
    [message] = warned(caplog, {"y": label}, {"x": DRAWN.normal(size=N), "copy": column})
    assert message.startswith("these inputs say what a task asks for: copy (y); leave them out with data.inputs=[...]")


HARMLESS = {
    "a finer column": (FAIR, np.arange(N) % 4),
    "a coarser column": (np.arange(N) % 4, FAIR),
    "noise": (NUMBERS, NUMBERS + 0.01 * DRAWN.normal(size=N)),
    "all different values": (FAIR, NUMBERS),
    "a column with few values": (NUMBERS, np.where(np.arange(N) < 40, NUMBERS, np.nan)),
    "a column with gaps": (NUMBERS, with_gaps(NUMBERS**2, 10)),
    "classes with gaps": (FAIR, with_gaps(np.arange(N) // 3 % 2, 10)),
    "one value, and gaps": (FAIR, with_gaps(np.ones(N), 10)),
    "no value": (FAIR, np.full(N, np.nan)),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_others_are_not(caplog, name):
    label, column = HARMLESS[name]
    assert not warned(caplog, {"y": label}, {"x": column})


def test_constant_inputs_are_told(caplog):
    assert warned(caplog, {"y": FAIR}, {"x": NUMBERS}, ["shop", "year"]) == [
        "constant in the training rows, so of no use: shop, year"
    ]


def test_rows_in_two_splits_are_counted(caplog):
    labels = {"y": infer_labels("y", FAIR, None, 100)}
    ids = torch.arange(N)
    ids[80], ids[90], ids[91] = 0, 2, 3  # 91 has another label than 2
    rows = {"train": torch.arange(60), "val": torch.arange(60, 90), "test": torch.arange(90, N)}
    with caplog.at_level(logging.WARNING):
        warn_of_duplicates(ids, labels, rows)
    [message] = caplog.messages
    assert message.startswith("1 of 30 rows of val and 2 of 10 rows of test stand in train too")
    assert message.endswith(": drop them, or keep what belongs together in one split with data.group=COLUMN")
    caplog.clear()
    warn_of_duplicates(ids, labels, rows, grouped=True)
    assert caplog.messages[0].endswith("inputs and labels: drop them")


def test_words_that_are_classes_are_told_despite_gaps(tmp_path, caplog):
    words = [["", "low", "high"][min(row % 10, 1) + FAIR[row] * (row % 10 > 0)] for row in range(N)]
    rows = [f"{number},{word},{'ab'[label]}" for number, word, label in zip(NUMBERS, words, FAIR)]
    (tmp_path / "mine.csv").write_text("\n".join(["x,level,y", *rows]))
    arrays.load(str(tmp_path / "mine.csv"), targets=["y"])
    [message] = caplog.messages
    assert message.startswith("these inputs say what a task asks for: level (y)")


def test_tables_and_arrays_are_both_looked_at(tmp_path, caplog):
    values = np.stack([NUMBERS, np.ones(N), FAIR], 1)
    np.savez(tmp_path / "mine.npz", inputs=values, y=FAIR)
    np.savetxt(tmp_path / "mine.csv", np.column_stack([values, FAIR]), "%.17g", ",", header="a,b,c,y", comments="")
    for path, options in (("mine.npz", {}), ("mine.csv", {"targets": ["y"]})):
        caplog.clear()
        arrays.load(str(tmp_path / path), **options)
        assert [message.partition(",")[0].partition(":")[0] for message in caplog.messages] == [
            "constant in the training rows",
            "these inputs say what a task asks for",
        ]
