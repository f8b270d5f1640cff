"""Labels that are all alike are refused, whatever is meant by them; those that vary too little are told."""

import logging
from pathlib import Path

import numpy as np
import pytest

from mtlrun.data.sets.arrays import load
from mtlrun.errors import DataError

NAN = float("nan")
N = 40
SIGNS = np.where(np.arange(N) % 2, 1, -1)
MASKS = np.where(np.arange(N * 9).reshape(N, 3, 3) % 2, 1, -1)


def written(folder: Path, labels: np.ndarray) -> str:
    inputs = np.zeros((len(labels), 3, 3)) + np.arange(len(labels))[:, None, None]
    np.savez(folder / "mine.npz", inputs=inputs, y=labels)
    return str(folder / "mine.npz")


@pytest.mark.parametrize(
    ("labels", "kind", "message"),
    [
        (SIGNS, None, r"the class 1 in every row that is labelled: .*; -1 means no label \(20 of them\): .* 0, 1, 2"),
        (SIGNS * 5.0, "Classification", "hold -5"),
        (SIGNS * 1.0, "Classification", r"the class 1 in every row .* \(20 of them\)"),
        (SIGNS, "Regression", r"the value 1 in every row .* \(20 of them\)"),
        (np.stack([SIGNS, SIGNS], 1), None, r"the answer 1 in every row .* \(40 of them\)"),
        (MASKS, None, r"the class 1 in every pixel that is labelled: .* \(180 of them\)"),
        (np.where(SIGNS > 0, 3, -1), None, r"the class 3 in every row .* -1 means no label"),
        (np.ones(N, int), None, r"the class 1 in every row that is labelled: there is nothing to learn$"),
        (np.full(N, 5), None, "the class 5 in every row"),
        (np.full(N, 5.5), None, "the value 5.5 in every row"),
        (np.full((N, 2), 5.5), None, "the value 5.5 in every row"),
        (np.ones((N, 2), int), None, "the answer 1 in every row"),
        (np.ones((N, 3, 3), int), None, "the class 1 in every pixel"),
        (np.where(np.arange(N) % 2, 1.0, NAN), None, "the class 1 in every row"),
    ],
)
def test_labels_that_are_all_alike_are_refused(tmp_path, labels, kind, message):
    with pytest.raises(DataError, match=message) as caught:
        load(written(tmp_path, labels), kinds={"y": kind} if kind else None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [np.arange(N) == 0, np.where(np.arange(N) == 0, 7.5, 1.5), np.eye(1, N)[0] * 1.0])
def test_training_rows_need_two_values_of_their_own(tmp_path, labels):
    """Row 0 is the only other one: there is a seed for which it is held out."""
    path, caught = written(tmp_path, labels), []
    for seed in range(12):
        try:
            load(path, seed=seed)
        except DataError as error:
            caught.append(str(error))
    assert 0 < len(caught) < 12
    assert all(
        "alone in the labelled rows of train, and others elsewhere: try another data.seed" in line for line in caught
    )


def test_what_varies_too_little_is_told(tmp_path, caplog):
    labels = np.stack([np.arange(N) * 0.1, np.full(N, 2.0)], 1)
    with caplog.at_level(logging.WARNING):
        load(written(tmp_path, labels))
    assert [record.getMessage() for record in caplog.records] == ["task 'y': no two values to train on in column 1"]


def test_a_held_out_split_of_one_class_is_told(tmp_path, caplog):
    rare = np.arange(N) < 2
    with caplog.at_level(logging.WARNING):
        for seed in range(12):
            try:
                load(written(tmp_path, rare), seed=seed)
            except DataError:
                continue
    lines = {record.getMessage() for record in caplog.records if record.name == "mtlrun.data.variety"}
    assert lines == {f"task 'y': the class 0 alone in {split}, whose scores say little" for split in ("val", "test")}


def test_a_class_is_called_by_its_name(tmp_path):
    (tmp_path / "mine.csv").write_text("x,y\n" + "".join(f"{row},yes\n" for row in range(N)))
    with pytest.raises(DataError, match="task 'y' has the class yes in every row that is labelled"):
        load(tmp_path / "mine.csv", targets=["y"])


def test_rows_that_minus_one_leaves_out_are_counted(tmp_path):
    splits = load(written(tmp_path, np.arange(N) % 4 - 1))
    assert splits.statement.endswith(
        "labels of all 40 rows taken for y: Classification of 3 (-1 in 10 rows is no label)"
    )
