"""Labels as people have them: what they are taken for, and what a kind that is named makes of them."""

import numpy as np
import pytest

from mtlrun.data.infer import infer_labels
from mtlrun.errors import ConfigError, DataError

NAN = float("nan")


def labels_of(values, kind=None, image_shape=None):
    return infer_labels("y", np.asarray(values), image_shape, 100, kind)


@pytest.mark.parametrize(
    ("values", "summary"),
    [
        ([0.0, 1.0, NAN, 1.0], "Classification of 2 (NaN in 1 rows is no label)"),
        ([0.0, 4.0, NAN, NAN], "Classification of 5 (NaN in 2 rows is no label)"),
        ([[0.0], [1.0], [NAN]], "Classification of 2 (NaN in 1 rows is no label)"),
        ([0.0, 1.0, 2.0], "Regression of 1"),
        ([0.0, 1.5, NAN], "Regression of 1 (NaN in 1 rows is no label)"),
        ([0.0, 100.0, NAN], "Regression of 1 (NaN in 1 rows is no label)"),
        ([-1.0, 1.0, NAN], "Regression of 1 (NaN in 1 rows is no label)"),
        ([-1.0, 1.0, 1.0], "Regression of 1"),
        ([0, -1, 1, -1], "Classification of 2 (-1 in 2 rows is no label)"),
        ([500, -1, 7], "Regression of 1 (-1 in 1 rows is no label)"),
        (np.array([0, 1, 255], np.uint8), "Classification of 2 (255 in 1 rows is no label)"),
        (np.array([0, 149, 255], np.uint8), "Regression of 1"),
        (np.array([[0, 1], [1, 255]], np.uint8), "MultiLabel of 2 (255 in 1 entries is no label)"),
        ([[0, -1], [1, -1]], "MultiLabel of 2 (-1 in 2 entries is no label)"),
        ([[0.5, NAN], [1.5, 2.0]], "Regression of 2 (NaN in 1 rows is no label)"),
    ],
)
def test_what_labels_are_taken_for_and_what_is_left_out(values, summary):
    assert labels_of(values).summary == summary


@pytest.mark.parametrize(
    ("values", "kind", "summary", "labelled", "known"),
    [
        ([0.0, 1.0, NAN], "Classification", "of 2", [1, 1, 0], [0, 1]),
        ([0.0, 1.0, 2.0], "Classification", "of 3", [1, 1, 1], [0, 1, 2]),
        ([-1.0, 1.0, 0.0], "Classification", "of 2", [0, 1, 1], [1, 0]),
        ([0, 149, 7], "Classification", "of 150", [1, 1, 1], [0, 149, 7]),
        (np.array([0, 149, 255], np.uint8), "Classification", "of 150", [1, 1, 0], [0, 149]),
        (np.array([0, 254, 255], np.uint8), "Classification", "of 256", [1, 1, 1], [0, 254, 255]),
        ([0, 1, 1], "MultiLabel", "of 1", [1, 1, 1], [[0], [1], [1]]),
        ([[0], [1], [-1]], "MultiLabel", "of 1", [1, 1, 0], [[0], [1]]),
        ([True, False, True], "MultiLabel", "of 1", [1, 1, 1], [[1], [0], [1]]),
        ([0, 1, 2], "Regression", "of 1", [1, 1, 1], [0, 1, 2]),
        ([True, False], "Regression", "of 1", [1, 1], [1, 0]),
        (np.array([0, 9, 255], np.uint8), "Regression", "of 1", [1, 1, 1], [0, 9, 255]),
        ([[0, 1], [1, 1]], "Regression", "of 2", [1, 1], [[0, 1], [1, 1]]),
        ([[[0.0, NAN], [1.0, 3.0]]], "Segmentation", "of 4", [1], [[[0, 255], [1, 3]]]),
        ([[[0.5, 2.0]], [[NAN, NAN]]], "Other", "", [1, 0], [[[0.5, 2.0]]]),
        ([[[0, 5, 5, 9, 9]]], "Other", "", [1], [[[0, 5, 5, 9, 9]]]),
    ],
)
def test_a_kind_that_is_named_decides(values, kind, summary, labelled, known):
    found = labels_of(values, kind)
    assert found.summary.startswith(f"{kind} {summary}".strip())
    assert found.labelled.tolist() == [bool(label) for label in labelled]
    assert found.values[found.labelled].tolist() == known


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (
            [0.5, 1.0],
            "Classification",
            r"'y' \(float64 \[2\]\) hold 0\.5: Classification takes classes as whole numbers",
        ),
        ([-3, 1], "Classification", r"'y' \(int64 \[2\]\) hold -3: Classification takes"),
        ([[0, 1], [1, 0]], "Classification", r"'y' \(int64 \[2, 2\]\) are not one class per row: .* the index"),
        ([0, 3], "MultiLabel", r"'y' \(int64 \[2\]\) hold 3: MultiLabel takes 0, 1"),
        (np.zeros((2, 2, 2), np.uint8), "MultiLabel", r"'y' \(uint8 \[2, 2, 2\]\) are no rows of yes/no answers"),
        (np.zeros((2, 2, 2)), "Regression", r"'y' \(float64 \[2, 2, 2\]\) are no rows of numbers"),
        ([0, 1], "Segmentation", r"'y' \(int64 \[2\]\) are no masks"),
        ([[[0.5]], [[1.0]]], "Segmentation", r"found 0\.5 to 1 \(float64\)"),
        ([NAN, NAN], "Other", "task 'y' has no label in any row"),
        ([1e39, 1.0], "Regression", "labels 'y' reach 1e[+]39: divide them"),
    ],
)
def test_labels_that_a_kind_cannot_take_are_described_as_the_file_has_them(values, kind, message):
    with pytest.raises(DataError, match=message):
        labels_of(values, kind)


def test_a_misspelt_kind_gets_a_suggestion():
    with pytest.raises(ConfigError, match=r"no kind for data.kinds.y 'regression'; did you mean 'Regression'"):
        labels_of([0, 1], "regression")
