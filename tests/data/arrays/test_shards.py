"""Folders of Parquet and Arrow files: tables whose rows are encoded once, and then mapped."""

import csv
import datetime
import json
import logging
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from mtlrun.contracts.source import check_splits
from mtlrun.data import label_warnings
from mtlrun.data.arrays import encoded_shards, shard_table
from mtlrun.data.sets import arrays
from mtlrun.errors import ConfigError, DataError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

N = 90
SPLITS = ("train", "val", "test")


def columns() -> dict:
    """Numbers, gaps, words, rare words, dates, truth values, vectors, and labels of four sorts."""
    draw = np.random.default_rng(0)
    words = draw.choice(["Oslo", "Rome", "Bonn"], N).tolist()
    return {
        "age": draw.integers(18, 80, N).astype(np.int16),
        "income": [
            None if row % 7 == 0 else float(f"{value:.3f}") for row, value in enumerate(draw.normal(5e4, 1e4, N))
        ],
        "city": ["Lima" if row == 4 else None if row % 10 == 0 else word for row, word in enumerate(words)],
        "since": [datetime.date(2020, 1, 1) + datetime.timedelta(days=row) for row in range(N)],
        "member": [None if row == 5 else row % 3 == 0 for row in range(N)],
        "taste": pyarrow.array(np.round(draw.normal(size=(N, 3)), 3).tolist()),
        "name": [f"name {row}" for row in range(N)],
        "same": [7] * N,
        "plan": [None if row % 11 == 0 else ["gold", "basic"][row % 2] for row in range(N)],
        "grade": [None if row % 12 == 0 else row % 3 for row in range(N)],
        "spent": np.round(draw.normal(100, 20, N), 3),
        "wish": pyarrow.array((draw.random((N, 2)) > 0.5).astype(np.int64).tolist()),
    }


TARGETS = ["plan", "grade", "spent", "wish"]


def write(folder: Path, columns: dict, parts: int = 3, kind: str = "parquet", group: int = 7) -> Path:
    """Shards of unequal lengths, of row groups of at most so many rows."""
    folder.mkdir(parents=True)
    table = columns if isinstance(columns, pyarrow.Table) else pyarrow.table(columns)
    borders = [0, *sorted({len(table) * part // parts + 1 for part in range(1, parts)}), len(table)]
    for number, (start, stop) in enumerate(pairwise(borders)):
        part = table.slice(start, stop - start)
        if kind == "parquet":
            parquet.write_table(part, folder / f"part-{number}.parquet", row_group_size=group)
            continue
        path = folder / f"data-{number:05}-of-{parts:05}.arrow"
        if kind == "feather":
            path = path.with_suffix(".feather")
        new = pyarrow.ipc.new_stream if kind == "arrow" else pyarrow.ipc.new_file
        with new(str(path), table.schema) as records:
            records.write_table(part, max_chunksize=group)
    return folder


def write_csv(path: Path, columns: dict) -> Path:
    """The same as texts; a column for each entry of a vector."""
    table = pyarrow.table(columns).to_pydict()
    flat = {}
    for name, values in table.items():
        length = len(values[0]) if isinstance(values[0], list) else 0
        flat |= {f"{name}[{at}]": [row[at] for row in values] for at in range(length)} if length else {name: values}
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(flat)
        rows.writerows(zip(*flat.values()))
    return path


def load(path: Path, cache: Path, targets=TARGETS, **options):
    return arrays.load(str(path), targets=targets, cache=str(cache), **options)


def everything(splits) -> dict[str, torch.Tensor]:
    """What is fetched of all rows."""
    found = {}
    for split in SPLITS:
        [source] = getattr(splits, split)
        inputs, targets = source.fetch(torch.arange(len(source)))
        found |= {f"{split}/inputs": source.prepare(inputs), f"{split}/ids": source.row_ids()}
        for task, values in targets.items():
            mask = source.labelled(task)
            found |= {f"{split}/{task}": values[mask], f"{split}/{task}/labelled": mask}
    return found


def alike(one, two) -> None:
    """Fails unless rows, labels, columns and what is told of them are the same."""
    assert two.statement == one.statement
    assert two.inferred == one.inferred
    assert two.train[0].columns == one.train[0].columns
    assert two.train[0].normalisation() == one.train[0].normalisation()
    torch.testing.assert_close(everything(two), everything(one), rtol=0, atol=0)


def told(caplog) -> list[str]:
    """The lines about the data, but for where rows are kept."""
    found = [line for line in caplog.messages if "kept encoded" not in line]
    caplog.clear()
    return found


OPTIONS = [
    {},
    {"standardise": False, "rare": 1},
    {"categories": ["age"], "inputs": ["taste", "age", "city"], "seed": 3},
    {"targets": ["plan", "spent"], "group": "city", "inputs": ["age", "wish"]},
    {"order": "since", "stratify": False},
]


@pytest.mark.parametrize(
    ("kind", "options"),
    [*((kind, options) for kind in ("parquet", "arrow") for options in OPTIONS), ("feather", {})],
)
def test_the_same_numbers_as_one_file_of_texts(tmp_path, kind, options, caplog):
    filled = columns()
    filled["city"] = [city or "Paris" for city in filled["city"]] if "group" in options else filled["city"]
    with caplog.at_level(logging.INFO, logger="mtlrun"):
        one = load(write_csv(tmp_path / "mine.csv", filled), tmp_path, **options)
        said = told(caplog)
        shards = write(tmp_path / "shards", filled, kind=kind)
        alike(one, load(shards, tmp_path / "cache", **options))
        assert told(caplog) == said
        alike(one, load(shards, tmp_path / "cache", **options))
        assert told(caplog) == said


def test_a_single_parquet_file_has_vectors_too(tmp_path):
    parquet.write_table(pyarrow.table(columns()), tmp_path / "mine.parquet")
    alike(load(write_csv(tmp_path / "mine.csv", columns()), tmp_path), load(tmp_path / "mine.parquet", tmp_path))


def test_what_is_kept_is_told_and_words_of_rows_are_those_of_the_table(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="mtlrun"):
        splits = load(write(tmp_path / "shards", columns()), tmp_path / "cache")
    [kept] = (tmp_path / "cache" / "arrays").iterdir()
    [line] = [line for line in caplog.messages if "kept encoded" in line]
    assert line == f"3 files, kept encoded in {kept} (10 numbers a row, 0 MB)"
    assert {path.name for path in kept.iterdir()} == {"inputs.npy", "facts.npz"}
    check_splits(lambda: splits)
    [source] = splits.test
    words = dict(line.rsplit(" ", 1) for line in source.read(source.fetch(torch.arange(1))[0])[0].splitlines())
    assert words["city"] in {"Oslo", "Rome", "Bonn", "-", "other"}
    assert words["since"].startswith("2020-")


def test_encoded_again_only_if_files_columns_options_or_training_rows_change(tmp_path):
    folder, cache = write(tmp_path / "shards", columns()), tmp_path / "cache"

    def states(**options):
        load(folder, cache, **options)
        return {path: path.stat().st_mtime_ns for path in (cache / "arrays").glob("*/inputs.npy")}

    first = states()
    assert states() == first
    os.utime(folder / "part-1.parquet", ns=(1, 1))
    assert len(states()) == 2
    assert len(states(inputs=["age", "income"])) == 3
    assert len(states(rare=2)) == 4
    assert len(states(seed=1)) == 5


def flipped(place):
    def damage(path):
        content = bytearray(path.read_bytes())
        content[place] ^= 4
        path.write_bytes(content)

    return damage


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a bit of what it begins with": flipped(1),
    "not one byte of its own": lambda path: path.write_bytes(b"7" * path.stat().st_size),
}


@pytest.mark.parametrize("file", ["inputs.npy", "facts.npz"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_copy_that_is_damaged_is_made_again(damage, file, tmp_path, caplog):
    folder, cache = write(tmp_path / "shards", columns()), tmp_path / "cache"
    one = load(folder, cache)
    [kept] = (cache / "arrays").iterdir()
    del one.train[0]._inputs  # or the map would be of the damaged file
    DAMAGES[damage](kept / file)
    two = load(folder, cache)
    assert [line for line in caplog.messages if line.startswith(f"{kept} is damaged (")]
    alike(two, load(folder, cache))


def test_a_bit_of_what_was_found_of_the_rows_does_not_pass(tmp_path, caplog):
    folder, cache = write(tmp_path / "shards", columns()), tmp_path / "cache"
    one = load(folder, cache)
    [kept] = (cache / "arrays").iterdir()
    flipped((kept / "facts.npz").stat().st_size // 3)(kept / "facts.npz")
    alike(one, load(folder, cache))
    assert "making it again" in caplog.text


def test_blocks_do_not_matter(tmp_path, monkeypatch):
    folder = write(tmp_path / "shards", columns())
    one = load(folder, tmp_path / "one")
    monkeypatch.setattr(encoded_shards, "BLOCK_BYTES", 100)
    monkeypatch.setattr(shard_table, "BLOCK_BYTES", 100)
    monkeypatch.setattr(shard_table, "LIST_ROWS", 5)
    alike(one, load(folder, tmp_path / "two"))


def test_folders_for_each_split_and_files_of_several_types(tmp_path):
    table = columns()
    parts = [
        write(tmp_path / name, {**table, "grade": values})
        for name, values in {"a": [1, 0] * 45, "b": [0.0, None, 1.0] * 30}.items()
    ]
    parquet.write_table(pyarrow.table({**table, "grade": [0.0, None, 1.0] * 30}), parts[0] / "part-9.parquet")
    splits = load(parts[0], tmp_path / "cache", val_path=str(parts[1]), test_path=str(parts[1]))
    assert [len(getattr(splits, split)[0]) for split in SPLITS] == [2 * N, N, N]
    assert splits.inferred["grade"] == {"kind": "Classification", "classes": 2}
    csvs = [write_csv(tmp_path / "b.csv", {**table, "grade": [0.0, None, 1.0] * 30})]
    one, two = (load(path, tmp_path / "cache", val_path=str(path), test_path=str(path)) for path in (csvs[0], parts[1]))
    alike(one, two)


def test_classes_keep_the_names_that_datasets_notes(tmp_path):
    features = {"label": {"names": ["good", "bad"], "_type": "ClassLabel"}}
    told = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pyarrow.table({"x": np.arange(N) * 1.0, "label": np.arange(N) % 2}).replace_schema_metadata(told)
    splits = load(write(tmp_path / "inside", table, kind="arrow"), tmp_path / "cache", ["label"])
    assert splits.inferred["label"]["classes"] == ["bad", "good"]
    beside = write(tmp_path / "beside", table.replace_schema_metadata({}), kind="arrow")
    (beside / "dataset_info.json").write_text(json.dumps({"features": features}))
    alike(splits, load(beside, tmp_path / "cache", ["label"]))
    few = {"label": {"names": ["good"], "_type": "ClassLabel"}}
    (beside / "dataset_info.json").write_text(json.dumps({"features": few}))
    with pytest.raises(DataError, match="column 'label' holds class 1, and the file names 1 classes"):
        load(beside, tmp_path / "cache", ["label"])


def test_large_numbers_keep_their_digits(tmp_path):
    table = {"seconds": 1_700_000_000 + np.arange(N), "kind": np.arange(N) % 3}
    splits = load(write(tmp_path / "shards", table), tmp_path / "cache", ["kind"])
    assert len(everything(splits)["train/inputs"].unique()) == len(splits.train[0])


def test_rows_are_never_in_memory_as_a_whole(tmp_path, monkeypatch):
    rows, width = 10_000, 300
    monkeypatch.setattr(encoded_shards, "BLOCK_BYTES", 2**18)
    monkeypatch.setattr(shard_table, "BLOCK_BYTES", 2**18)
    monkeypatch.setattr(shard_table, "LIST_ROWS", 2**8)
    monkeypatch.setattr(label_warnings, "SAMPLE", 200)  # of which all columns are looked at together
    wide = {f"x{at}": np.arange(rows) % (at + 2) * 1.0 for at in range(20)}
    flat = pyarrow.array((np.arange(rows * width) % 97).astype(np.float32))
    vectors = {"v": pyarrow.FixedSizeListArray.from_arrays(flat, width)}
    folder = write(tmp_path / "shards", {**wide, **vectors, "y": np.arange(rows) % 2}, parts=2, group=2_000)
    tracemalloc.start()
    splits = load(folder, tmp_path / "cache", ["y"])
    splits.train[0].fetch(torch.arange(256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    [kept] = (tmp_path / "cache" / "arrays").iterdir()
    assert peak < (kept / "inputs.npy").stat().st_size / 2


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({}, {"targets": None}, r"say which columns are to be predicted, as in data.targets=\[wish\[1\]\]"),
        ({}, {"targets": ["plann"]}, r"no column 'plann' \(data.targets\); did you mean 'plan'"),
        ({}, {"inputs": ["agee"]}, r"no column 'agee' \(data.inputs\); did you mean 'age'"),
        ({}, {"order": "when"}, r"no column 'when' \(data.order\)"),
        ({}, {"inputs": ["wish"]}, r"column 'wish\[0\]' is named in data.inputs and in data.targets"),
        ({"age": [np.inf, *range(N - 1)]}, {}, "column 'age' has infinite values in 1 of 90 rows, the first in row 1"),
        ({"city": ["1", "x", *["2"] * (N - 2)]}, {}, "column 'city' holds numbers, and 'x' in row 2"),
        ({"taste": [[1, 2]] * 40 + [[1]] * 50}, {}, "column 'taste' holds lists of 2 numbers, and one of 1"),
        (
            {"taste": [[1, 2], [1]] * 45},
            {},
            "column 'taste' holds values of type list.* texts or lists of numbers of one length; leave",
        ),
        ({"city": ["1,5"] * N, "age": ["1.234"] * N}, {}, "the points in column 'age' may be decimals"),
        ({"age": ["1,5"] * N, "city": ["1.234"] * N}, {}, "the points in column 'city' may be decimals"),
    ],
)
def test_unusable_columns_get_one_line(tmp_path, changed, options, message):
    folder = write(tmp_path / "shards", columns() | changed)
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        load(folder, tmp_path / "cache", **options)
    assert "\n" not in str(caught.value)
    assert not [*(tmp_path / "cache").rglob("*.npy")]
    assert not [*(tmp_path / "cache").rglob("*.tmp")]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "feather"])
@pytest.mark.parametrize("number", [0, 2])
def test_damaged_files_are_named(tmp_path, kind, number):
    folder = write(tmp_path / "shards", columns(), kind=kind)
    damaged = sorted(folder.iterdir())[number]
    damaged.write_bytes(damaged.read_bytes()[:300])
    with pytest.raises(
        DataError, match=f"{damaged.name} is no {'Parquet' if kind == 'parquet' else 'Arrow'} file, or damaged"
    ):
        load(folder, tmp_path / "cache")
    assert not [*(tmp_path / "cache").rglob("*.npy")]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"age": [1]}, r"part-9.parquet lacks the column 'plan', which the first file of the folder has"),
        (
            {**columns(), "plan": np.arange(N)},
            r"column 'plan' holds string in .*part-0.* and int64 in .*part-9.*: write",
        ),
    ],
)
def test_a_file_of_other_columns_is_named(tmp_path, table, message):
    folder = write(tmp_path / "shards", columns())
    parquet.write_table(pyarrow.table(table), folder / "part-9.parquet")
    with pytest.raises(DataError, match=message):
        load(folder, tmp_path / "cache")


def test_folders_that_do_not_fit_are_told(tmp_path):
    folder, other = write(tmp_path / "shards", columns()), tmp_path / "other"
    write(other, {"age": [1] * N})
    with pytest.raises(DataError, match=r"other has no column 'income', which .*shards has"):
        load(folder, tmp_path / "cache", val_path=str(other))
    write(tmp_path / "none", pyarrow.table(columns()).slice(0, 0), parts=1)
    with pytest.raises(DataError, match=r"none holds 0 rows of 12 columns"):
        load(tmp_path / "none", tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"is a folder of Parquet or Arrow files, and .*empty is none"):
        load(folder, tmp_path / "cache", val_path=str(tmp_path / "empty"))


def test_what_is_not_read_is_told_once(tmp_path, caplog):
    folder = write(tmp_path / "shards", columns(), parts=1)
    for name in ("notes.csv", "_SUCCESS", "dataset_info.json", ".part-0.parquet.crc"):
        (folder / name).write_text("")
    (folder / "year=2020").mkdir()
    with caplog.at_level(logging.INFO, logger="mtlrun"):
        load(folder, tmp_path / "cache")
    line = f"{folder} is a table of its Parquet files; not read: notes.csv, year=2020/"
    assert [found for found in caplog.messages if "not read" in found] == [line]
    assert [found for found in caplog.messages if found.startswith("1 file, kept encoded in")]


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(encoded_shards.shutil, "disk_usage", lambda path: Room(free=10))
    with pytest.raises(DataError, match=r"has no room for 0 MB of arrays: set data.cache to a folder"):
        load(write(tmp_path / "shards", columns()), tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"arrays cannot be written \(Not a directory\): set data.cache to a folder"):
        load(write(tmp_path / "shards", columns()), tmp_path / "file")


class Room:
    """What `shutil.disk_usage` says."""

    def __init__(self, free: int) -> None:
        self.free = free
