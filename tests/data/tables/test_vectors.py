"""Vectors in tables: columns of one entry each, in every form that a table has."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch

from mtlrun.data.sets import arrays
from mtlrun.data.tables.named_arrays import arrays_of, write_arrays
from mtlrun.errors import DataError

N = 80


def load(path, **options):
    return arrays.load(str(path), **options)


def inputs_of(splits):
    """The encoded rows of each split, and their labels."""
    return [
        source.fetch(torch.arange(len(source))) for part in (splits.train, splits.val, splits.test) for source in part
    ]


def vectors(tmp_path):
    draw = np.random.default_rng(0)
    table = {f"v[{at}]": draw.normal(size=N).round(3) for at in range(3)}
    table |= {"x": draw.normal(size=N).round(3), "wish[0]": np.arange(N) % 2, "wish[1]": np.arange(N) % 3 > 0}
    pd.DataFrame(table).to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


@pytest.mark.parametrize(
    ("options", "inputs", "tasks"),
    [
        ({"targets": ["wish"]}, ["v[0]", "v[1]", "v[2]", "x"], {"wish": "MultiLabel"}),
        ({"targets": ["x"], "inputs": ["v"]}, ["v[0]", "v[1]", "v[2]"], {"x": "Regression"}),
        ({"targets": ["v", "wish[1]"]}, ["x", "wish[0]"], {"v": "Regression", "wish_1": "Classification"}),
    ],
)
def test_the_name_of_a_vector_stands_for_its_columns(tmp_path, options, inputs, tasks):
    splits = load(vectors(tmp_path), **options)
    assert [column.name for column in splits.train[0].columns] == inputs
    assert {task: kind["kind"] for task, kind in splits.inferred.items()} == tasks
    if "v" in tasks:
        assert splits.train[0].targets("v").shape[1:] == (3,)


def test_vectors_are_the_same_columns_in_each_form(tmp_path, caplog):
    draw = np.random.default_rng(1)
    one, v = draw.normal(size=N).round(3), draw.normal(size=(N, 3)).round(3)
    wish, y = draw.integers(0, 2, (N, 2)), np.arange(N) % 2
    data = {"x": one, "v": v, "wish": wish, "y": y, "picture": np.ones((N, 2, 2))}
    flat = {"x": one} | {f"v[{at}]": v[:, at] for at in range(3)} | {f"wish[{at}]": wish[:, at] for at in range(2)}
    pd.DataFrame(flat | {"y": y}).to_csv(tmp_path / "mine.csv", index=False)
    listed = pd.DataFrame({"x": one, "v": v.tolist(), "wish": [*wish], "y": y})
    listed.to_parquet(tmp_path / "mine.parquet")
    write_arrays(tmp_path / "mine.npz", arrays_of(data))
    write_arrays(tmp_path / "listed.npz", arrays_of(listed))
    caplog.set_level(logging.INFO, logger="mtlrun")
    first = load(tmp_path / "mine.csv", targets=["y", "wish[1]"])
    for other in ("mine.parquet", "mine.npz", "listed.npz"):
        found = load(tmp_path / other, targets=["y", "wish[1]"])
        assert found.inferred == first.inferred
        assert found.train[0].columns == first.train[0].columns
        torch.testing.assert_close(inputs_of(found), inputs_of(first), rtol=0, atol=0)
    left_out = "left out, since a table takes arrays [N], and numbers [N, D]: picture [80, 2, 2] of float64"
    assert caplog.messages.count(left_out) == 1


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([[1, 2], None, [3, None]], [[1, 2], [np.nan, np.nan], [3, np.nan]]),
        ([(True, False), np.array([False, False])], [[True, False], [False, False]]),
        ([[1, 2], [3]], "holds a list of another length than others, or of more than numbers: a table takes numbers"),
        ([["a", "b"], ["c", "d"]], "lists of numbers of one length; leave it out of the data"),
        ([[1, 2], 3], "holds a list of another length"),
    ],
)
def test_lists_in_a_data_frame_are_vectors_or_told(rows, found):
    frame = pd.DataFrame({"v": pd.Series(rows, dtype=object)})
    if isinstance(found, str):
        with pytest.raises(DataError, match=found):
            arrays_of(frame)
        return
    np.testing.assert_array_equal(arrays_of(frame)["v"], found)


def test_a_name_that_a_vector_needs_is_told(tmp_path):
    pytest.importorskip("pyarrow")
    data = {"v": np.ones((N, 2)), "v[1]": np.arange(N), "y": np.arange(N) % 2}
    np.savez(tmp_path / "mine.npz", **data)
    pd.DataFrame(data | {"v": data["v"].tolist()}).to_parquet(tmp_path / "mine.parquet")
    for name in ("mine.npz", "mine.parquet"):
        with pytest.raises(
            DataError, match=r"'v\[1\]' is a column, and an entry of the vector 'v': rename one of them"
        ):
            load(tmp_path / name, targets=["y"])


def test_a_vector_of_labels_holds_no_words(tmp_path):
    pd.DataFrame({"x": np.arange(N), "v[0]": np.arange(N) % 2, "v[1]": ["a", "b"] * (N // 2)}).to_csv(
        tmp_path / "mine.csv", index=False
    )
    with pytest.raises(DataError, match=r"column 'v\[1\]' holds words, and a vector of labels holds numbers"):
        load(tmp_path / "mine.csv", targets=["v"])
