"""Folders of Parquet and Arrow files: decoded once into arrays, which are then mapped."""

import logging
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from mtlrun.data.sets import arrays
from mtlrun.errors import ConfigError, DataError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

N = 60
DRAW = np.random.default_rng(0)
COLUMNS = {
    "age": DRAW.integers(18, 80, N).astype(np.int16),
    "income": DRAW.normal(5e4, 1e4, N).astype(np.float32),
    "member": DRAW.integers(0, 2, N) > 0,
    "churn": np.arange(N) % 3,
    "value": DRAW.normal(size=N),
}
TARGETS = ["churn", "value"]


def write(folder: Path, columns: dict, parts: int = 3, kind: str = "parquet") -> Path:
    """Shards of unequal lengths, of row groups of at most seven rows."""
    folder.mkdir(parents=True)
    table = pyarrow.table(columns)
    borders = [0, *sorted({len(table) * part // parts + 1 for part in range(1, parts)}), len(table)]
    for number, (start, stop) in enumerate(pairwise(borders)):
        part = table.slice(start, stop - start)
        if kind == "parquet":
            parquet.write_table(part, folder / f"part-{number}.parquet", row_group_size=7)
            continue
        path = folder / f"data-{number:05}-of-{parts:05}.arrow"
        with pyarrow.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(part, max_chunksize=7)
    return folder


def load(folder: Path, cache: Path, targets=TARGETS, **options):
    return arrays.load(str(folder), targets=targets, cache=str(cache), **options)


def prepared(splits, split):
    [source] = getattr(splits, split)
    inputs, targets = source.fetch(torch.arange(len(source)))
    return source.prepare(inputs), targets


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_the_same_numbers_as_the_arrays(tmp_path, kind, caplog):
    with caplog.at_level(logging.INFO, logger="mtlrun"):
        splits = load(write(tmp_path / "shards", COLUMNS, kind=kind), tmp_path / "cache")
    [kept] = (tmp_path / "cache" / "arrays").iterdir()
    [line] = [line for line in caplog.messages if "kept as arrays" in line]
    assert f"3 columns of 3 files, kept as arrays in {kept} (0 MB)" in line
    inputs = np.stack([COLUMNS[name] for name in ("age", "income", "member")], 1).astype(np.float32)
    np.savez(tmp_path / "same.npz", inputs=inputs, churn=COLUMNS["churn"], value=COLUMNS["value"])
    held = arrays.load(str(tmp_path / "same.npz"))
    assert splits.statement == held.statement
    assert np.load(kept / "inputs.npy").dtype == np.float32
    for split in ("train", "val", "test"):
        (found, labels), (expected, wanted) = prepared(splits, split), prepared(held, split)
        torch.testing.assert_close(found, expected)
        assert all(torch.equal(labels[task], wanted[task]) for task in TARGETS)


def test_decoded_again_only_if_a_file_or_the_columns_change(tmp_path):
    folder, cache = write(tmp_path / "shards", COLUMNS), tmp_path / "cache"

    def states():
        load(folder, cache)
        return {path: path.stat().st_mtime_ns for path in (cache / "arrays").glob("*/inputs.npy")}

    first = states()
    assert states() == first
    os.utime(folder / "part-1.parquet", ns=(1, 1))
    assert len(states()) == 2
    load(folder, cache, inputs=["age", "income"])
    assert len({*(cache / "arrays").iterdir()}) == 3


def test_large_numbers_keep_their_digits_and_labels_may_have_gaps(tmp_path):
    seconds = 1_700_000_000 + np.arange(N)
    given = [None if row % 5 == 0 else row % 3 for row in range(N)]
    answers = [None if row % 7 == 0 else row % 2 == 0 for row in range(N)]
    columns = {"seconds": seconds, "kind": pyarrow.array(given), "answer": pyarrow.array(answers)}
    splits = load(write(tmp_path / "shards", columns), tmp_path / "cache", ["kind", "answer"])
    assert {task: kind["kind"] for task, kind in splits.inferred.items()} == dict.fromkeys(
        ["kind", "answer"], "Classification"
    )
    assert len(prepared(splits, "train")[0].unique()) == len(splits.train[0])


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("group", [f"p {row // 4}" for row in range(N)]),
        ("order", np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")),
    ],
)
def test_rows_are_split_by_a_column(tmp_path, option, key):
    columns = {"x": np.arange(N) * 1.0, "churn": COLUMNS["churn"], "the key": key}
    folder = write(tmp_path / "shards", columns)
    splits = load(folder, tmp_path / "cache", ["churn"], standardise=False, **{option: "the key"})
    held_out = prepared(splits, "test")[0][:, 0].int().tolist()
    inside = {str(key[row]) for row in held_out}
    assert inside.isdisjoint({str(key[row]) for row in prepared(splits, "train")[0][:, 0].int().tolist()})
    assert option == "group" or held_out == [*range(N - 9, N)]


def test_folders_for_each_split(tmp_path):
    folders = [write(tmp_path / name, COLUMNS) for name in ("train", "val", "test")]
    splits = load(folders[0], tmp_path / "cache", val_path=str(folders[1]), test_path=str(folders[2]))
    assert [len(getattr(splits, split)[0]) for split in ("train", "val", "test")] == [N, N, N]


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({}, {"targets": None}, r"name the columns of labels with data.targets=\[...\] \(there are: age, income"),
        ({}, {"targets": ["chrun"]}, r"no column 'chrun' \(data.targets\); did you mean 'churn'"),
        ({}, {"inputs": ["agee"]}, r"no column 'agee' \(data.inputs\); did you mean 'age'"),
        ({}, {"order": "when"}, r"no column 'when' \(data.order\)"),
        ({"town": ["a"] * N}, {}, "column 'town' of .* holds string, and a folder of files takes columns of numbers"),
        ({"age": [None, *range(N - 1)]}, {}, "column 'age' of .*part-0.parquet has 1 rows without a value"),
        ({"age": [np.nan, *range(N - 1)]}, {}, "'inputs' has NaN or infinite values in 1 of 60 rows"),
        ({"inputs": np.arange(N)}, {"targets": ["inputs"]}, "no column of labels may be called 'inputs'"),
    ],
)
def test_unusable_columns_get_one_line(tmp_path, changed, options, message):
    folder = write(tmp_path / "shards", COLUMNS | changed)
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        load(folder, tmp_path / "cache", **options)
    assert "\n" not in str(caught.value)
    assert not [*(tmp_path / "cache").rglob("*.tmp")]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("number", [0, 2])
def test_damaged_files_are_named(tmp_path, kind, number):
    folder = write(tmp_path / "shards", COLUMNS, kind=kind)
    damaged = sorted(folder.iterdir())[number]
    damaged.write_bytes(damaged.read_bytes()[:300])
    with pytest.raises(DataError, match=f"{damaged.name} is no .{kind} file, or damaged"):
        load(folder, tmp_path / "cache")
    assert not [*(tmp_path / "cache").rglob("*.npy")]


def test_a_file_without_the_columns_is_named(tmp_path):
    folder = write(tmp_path / "shards", COLUMNS)
    parquet.write_table(pyarrow.table({"age": [1]}), folder / "part-9.parquet")
    with pytest.raises(DataError, match=r"part-9.parquet lacks the column"):
        load(folder, tmp_path / "cache")
