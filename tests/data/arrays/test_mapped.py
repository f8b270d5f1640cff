"""Arrays in a folder of .npy files: mapped, and otherwise what the same arrays in a .npz file are."""

import logging
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from mtlrun.contracts.source import check_splits
from mtlrun.data.arrays import row_map
from mtlrun.data.fingerprint import difference, fingerprint
from mtlrun.data.sets import arrays
from mtlrun.errors import ConfigError, DataError

N = 60
DRAW = np.random.default_rng(0)
VECTORS = DRAW.normal(5.0, 3.0, (N, 4))
CLASSES = np.arange(N) % 3
LABELS = {"colour": CLASSES, "weight": np.where(np.arange(N) % 7, DRAW.normal(size=N), np.nan)}
FORMS = {
    "float64 vectors": VECTORS,
    "dates": 1.7e9 + np.arange(N)[:, None] * [1.0, 7.0],
    "float32, big end first": VECTORS.astype(">f4"),
    "whole numbers, columns first": np.asfortranarray(DRAW.integers(-50, 50, (N, 3)).astype(np.int16)),
    "bytes": DRAW.integers(0, 200, (N, 5), dtype=np.uint8),
    "one column": VECTORS[:, 0],
    "pictures of bytes, channels last": DRAW.integers(0, 255, (N, 6, 7, 3), dtype=np.uint8),
    "pictures of floats": DRAW.normal(3.0, 2.0, (N, 2, 6, 7)),
    "grey pictures": DRAW.integers(0, 255, (N, 6, 7), dtype=np.uint16),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks, whose borders are nowhere in particular."""
    monkeypatch.setattr(row_map, "CHUNK_BYTES", 500)


def folder_of(path: Path, **values: np.ndarray) -> Path:
    path.mkdir(parents=True)
    for name, array in values.items():
        np.save(path / f"{name}.npy", array)
    return path


def both(tmp_path: Path, values: dict[str, np.ndarray], **options):
    """(splits of a .npz file, splits of a folder of the same arrays)."""
    np.savez(tmp_path / "mine.npz", **values)
    return arrays.load(str(tmp_path / "mine.npz"), **options), arrays.load(
        str(folder_of(tmp_path / "mine", **values)), **options
    )


def prepared(splits, split):
    [source] = getattr(splits, split)
    rows = torch.arange(len(source)).flip(0)
    inputs, targets = source.fetch(rows)
    return source.prepare(inputs), targets


def check_same(held, mapped):
    assert mapped.statement == held.statement
    assert mapped.inferred == held.inferred
    for split in ("train", "val", "test"):
        inputs, targets = prepared(mapped, split)
        expected, labels = prepared(held, split)
        torch.testing.assert_close(inputs, expected)
        assert {*targets} == {*labels}
        for task in labels:
            assert torch.equal(targets[task].nan_to_num(), labels[task].nan_to_num())
    one, other = held.train[0].normalisation(), mapped.train[0].normalisation()
    assert (one.dtype, one.unit, one.early) == (other.dtype, other.unit, other.early)
    assert (one.mean is None) == (other.mean is None)
    if one.mean is not None:
        assert other.mean == pytest.approx(one.mean)
        assert other.deviation == pytest.approx(one.deviation)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("standardise", [True, False])
def test_the_same_numbers_as_in_memory(tmp_path, form, standardise):
    held, mapped = both(tmp_path, {"inputs": FORMS[form], **LABELS}, standardise=standardise)
    assert not mapped.train[0].in_memory
    check_same(held, mapped)
    assert difference(fingerprint(held), fingerprint(mapped)) is None


def test_folders_for_each_split(tmp_path):
    files, folders = [], []
    for name, rows in (("train", slice(0, 30)), ("val", slice(30, 40)), ("test", slice(40, N))):
        part = {"inputs": VECTORS[rows].astype("f4" if name == "train" else "f8"), "colour": CLASSES[rows]}
        np.savez(tmp_path / f"{name}.npz", **part)
        files.append(str(tmp_path / f"{name}.npz"))
        folders.append(str(folder_of(tmp_path / name, **part)))
    check_same(arrays.load(*files), arrays.load(*folders))


@pytest.mark.parametrize(
    ("key", "option"), [(np.array([f"p{row // 4}" for row in range(N)]), "group"), (np.arange(N)[::-1] * 1.5, "order")]
)
def test_rows_are_split_by_a_file(tmp_path, key, option):
    check_same(*both(tmp_path, {"inputs": VECTORS, "colour": CLASSES, "key": key}, **{option: "key"}))


def test_rows_are_split_by_mapped_inputs(tmp_path):
    check_same(*both(tmp_path, {"inputs": np.arange(N)[::-1] * 1.0, "colour": CLASSES}, order="inputs"))


def test_names_choose_files(tmp_path):
    folder = folder_of(tmp_path / "mine", x=VECTORS, other=np.array(["a"]), **LABELS)
    assert [*arrays.load(str(folder), inputs="x", targets=["weight"]).inferred] == ["weight"]


def test_sources_keep_their_promises_and_go_to_workers_as_names(tmp_path):
    inputs = DRAW.normal(size=(N, 1000))
    splits = arrays.load(str(folder_of(tmp_path / "mine", inputs=inputs, **LABELS)))
    check_splits(lambda: splits)
    [source] = splits.train
    sent = pickle.dumps(source)
    assert len(sent) < inputs.nbytes / 4
    rows = torch.tensor([5, 0, 3])
    assert torch.equal(pickle.loads(sent).fetch(rows)[0], source.fetch(rows)[0])


def test_the_same_warnings(tmp_path, caplog):
    inputs = np.concatenate([VECTORS, CLASSES[:, None] * 2.0, np.ones((N, 1))], 1)
    inputs[50:] = inputs[:10]
    labels = CLASSES.copy()
    labels[50:] = labels[:10]
    told = []
    with caplog.at_level(logging.WARNING, logger="mtlrun"):
        for splits in both(tmp_path, {"inputs": inputs, "colour": labels, "flag": np.arange(N) < 58}):
            assert splits
        told = [record.getMessage() for record in caplog.records]
    half = len(told) // 2
    assert told[:half] == told[half:]
    assert all(any(word in line for line in told) for word in ("stand in train too", "constant", "say what", "balance"))


def test_inputs_are_never_in_memory_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(row_map, "CHUNK_BYTES", 2**18)
    folder = folder_of(tmp_path / "mine", inputs=np.zeros((40_000, 50), np.float32), y=np.arange(40_000) % 2)
    size = (folder / "inputs.npy").stat().st_size
    tracemalloc.start()
    splits = arrays.load(str(folder), kinds={"y": "Classification"})
    fingerprint(splits)
    splits.train[0].fetch(torch.arange(256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2


def test_nothing_is_read_of_inputs_that_labels_do_not_fit(tmp_path):
    folder = folder_of(tmp_path / "mine", inputs=np.full((N, 2), np.nan), y=CLASSES[:-1])
    with pytest.raises(DataError, match="60 rows of 'inputs' but 59 rows of 'y'"):
        arrays.load(str(folder))


def spoilt(row: int) -> np.ndarray:
    values = VECTORS.copy()
    values[row:, 1] = np.nan
    return values


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ({"x": VECTORS, "y": CLASSES}, {}, r"has no file inputs.npy \(data.inputs\) \(there are: x.npy, y.npy\)"),
        ({"input": VECTORS, "y": CLASSES}, {}, "did you mean 'input'"),
        ({"inputs": VECTORS, "age": CLASSES}, {"targets": ["agee"]}, r"agee.npy \(data.targets\); did you mean 'age'"),
        ({"inputs": VECTORS}, {}, "no .npy file besides inputs.npy"),
        ({"inputs": VECTORS, "y": np.array(3)}, {}, "a single number of 'y'"),
        ({"inputs": np.array(3.0), "y": CLASSES}, {}, "0 rows of 'inputs'"),
        ({"inputs": VECTORS.astype(object), "y": CLASSES}, {}, "inputs.npy holds Python objects"),
        ({"inputs": VECTORS, "y": CLASSES.astype(object)}, {}, "y.npy holds Python objects"),
        ({"inputs": VECTORS.astype(str), "y": CLASSES}, {}, "inputs.npy should hold numbers"),
        ({"inputs": VECTORS, "a b": CLASSES}, {}, "an array of labels is called 'a b': use letters"),
        ({"inputs": spoilt(57), "y": CLASSES}, {}, "'inputs' has NaN .* in 3 of 60 rows, the first in row 58"),
        ({"inputs": np.zeros((N, 1, 2, 2, 2)), "y": CLASSES}, {}, "should be vectors"),
        ({"inputs": VECTORS[:0], "y": CLASSES[:0]}, {}, "0 of 0 rows"),
        ({"inputs": VECTORS, "y": CLASSES}, {"channels": "lost"}, "no data.channels 'lost'"),
        ({"inputs": VECTORS, "y": CLASSES}, {"categories": ["y"]}, "is no table"),
        ({"inputs": VECTORS, "y": CLASSES}, {"inputs": ["a", "b"]}, "a folder of .npy files has one array of inputs"),
    ],
)
def test_unusable_folders_get_one_line(tmp_path, values, options, message):
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        arrays.load(str(folder_of(tmp_path / "mine", **values)), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("", r"has no arrays itself, but there are some in .*/outer/mine: set data.path=.*/outer/mine"),
        ("mine/below", r"is empty \(but in .*/outer/mine: set data.path=.*/outer/mine\): expected inputs.npy and"),
        (
            "tables",
            r"holds a.csv, b.csv: such files are not joined, name one file, as in data.path=.*/tables/a.csv",
        ),
        (
            "../odd/mixed",
            r"holds Parquet and Arrow files \(a.feather, b.parquet\): leave Parquet files alone there, or Arrow",
        ),
        (
            "../odd/others",
            r"holds notes.doc: expected inputs.npy and one .npy file .*, Parquet files alone, or Arrow files alone",
        ),
        (
            "../odd/by_year",
            r"holds year=2020, year=2021: folders for the values of 'year' are not read as one table, join them",
        ),
    ],
)
def test_folders_of_other_things_say_where_arrays_are(tmp_path, place, message):
    outer = tmp_path / "outer"
    folder_of(outer / "mine", inputs=VECTORS, y=CLASSES)
    (outer / "mine" / "below").mkdir()
    files = ["mixed/a.feather", "mixed/b.parquet", "by_year/year=2020/a.parquet", "by_year/year=2021/a.parquet"]
    files = [f"../odd/{name}" for name in (*files, "others/notes.doc")]
    for name in (*files, "tables/a.csv", "tables/b.csv", "tables/.hidden.npy"):
        (outer / name).parent.mkdir(parents=True, exist_ok=True)
        (outer / name).write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=message):
        arrays.load(str(outer / place))


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x93NUMPY\x01\x00"])
def test_damaged_files_are_named(tmp_path, content):
    folder = folder_of(tmp_path / "mine", inputs=VECTORS, y=CLASSES)
    (folder / "inputs.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"inputs.npy is no .npy file, or damaged"):
        arrays.load(str(folder))


def test_a_file_cut_short_is_damaged(tmp_path):
    folder = folder_of(tmp_path / "mine", inputs=VECTORS, y=CLASSES)
    content = (folder / "inputs.npy").read_bytes()
    (folder / "inputs.npy").write_bytes(content[:-100])
    with pytest.raises(DataError, match=r"inputs.npy is no .npy file, or damaged"):
        arrays.load(str(folder))


def test_a_folder_and_a_file_do_not_go_together(tmp_path):
    np.savez(tmp_path / "val.npz", inputs=VECTORS, y=CLASSES)
    folder = folder_of(tmp_path / "mine", inputs=VECTORS, y=CLASSES)
    with pytest.raises(ConfigError, match=r"is a folder and .* a file: name files, or folders of .npy files"):
        arrays.load(str(folder), val_path=str(tmp_path / "val.npz"))
