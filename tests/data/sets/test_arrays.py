import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from mtlrun.data.infer import infer_labels
from mtlrun.data.sets import arrays
from mtlrun.errors import ConfigError, DataError

CONF = Path(__file__).parents[3] / "conf"
N = 40
NAN = float("nan")
RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(5.0, 3.0, (N, 4))
CLASSES = np.arange(N) % 3


def write(folder: Path, name: str = "mine.npz", **values) -> str:
    np.savez(folder / name, **values)
    return str(folder / name)


def rows_of(splits, split):
    [source] = getattr(splits, split)
    inputs, targets = source.fetch(torch.arange(len(source)))
    return source.prepare(inputs), targets, source


def everything(splits):
    """Prepared inputs and targets of all splits, one after the other."""
    parts = [rows_of(splits, split) for split in ("train", "val", "test")]
    return torch.cat([part[0] for part in parts]), {
        task: torch.cat([part[1][task] for part in parts]) for task in parts[0][1]
    }


def test_yaml_states_every_option_with_its_default():
    stated = yaml.safe_load((CONF / "data" / "arrays.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.arrays.load"
    assert stated == {name: p.default for name, p in inspect.signature(arrays.load).parameters.items()}


@pytest.mark.parametrize(
    ("labels", "kind", "options"),
    [
        (np.arange(N) % 3, "Classification", {"classes": 3}),
        ((np.arange(N) % 3).astype(np.uint8), "Classification", {"classes": 3}),
        (np.arange(N) % 2 == 0, "Classification", {"classes": 2}),
        ((np.arange(N) % 3)[:, None], "Classification", {"classes": 3}),
        (np.arange(N) % 4 - 1, "Classification", {"classes": 3}),
        (np.arange(N) % 4 - 2, "Regression", {"outputs": 1}),
        (np.arange(N) * 10, "Regression", {"outputs": 1}),
        ((np.arange(N) % 3).astype(float), "Regression", {"outputs": 1}),
        (RANDOM.normal(size=(N, 5)), "Regression", {"outputs": 5}),
        (RANDOM.integers(0, 9, (N, 5)), "Regression", {"outputs": 5}),
        (RANDOM.integers(0, 2, (N, 3)), "MultiLabel", {"labels": ["0", "1", "2"]}),
        (RANDOM.integers(-1, 2, (N, 3)), "MultiLabel", {"labels": ["0", "1", "2"]}),
        (RANDOM.integers(0, 2, (N, 3)).astype(float), "MultiLabel", {"labels": ["0", "1", "2"]}),
        (RANDOM.integers(0, 2, (N, 3)) > 0, "MultiLabel", {"labels": ["0", "1", "2"]}),
        (RANDOM.integers(0, 4, (N, 6, 7)), "Segmentation", {"classes": ["0", "1", "2", "3"]}),
        (RANDOM.integers(0, 2, (N, 1, 6, 7)) > 0, "Segmentation", {"classes": ["0", "1"]}),
    ],
)
def test_kinds_follow_the_table(labels, kind, options):
    found = infer_labels("t", labels, image_shape=(6, 7), max_classes=100)
    assert found.kind == {"kind": kind, **options}
    assert len(found.values) == len(found.labelled) == N


def test_max_classes_is_where_classes_end():
    labels = np.arange(N)
    kinds = [infer_labels("t", labels, None, most).kind["kind"] for most in (N, N - 1)]
    assert kinds == ["Classification", "Regression"]


@pytest.mark.parametrize(
    ("labels", "labelled", "values"),
    [
        ([0, -1, 1], [True, False, True], [0, 1]),
        ([0.5, NAN, 2.5], [True, False, True], [0.5, 2.5]),
        ([[0.5, 1], [NAN, 3], [2.5, 2]], [True, False, True], [[0.5, 1], [2.5, 2]]),
        ([[0, 1], [-1, -1], [1, 0]], [True, False, True], [[0, 1], [1, 0]]),
        ([-1, -2, 1], [True, True, True], [-1, -2, 1]),
    ],
)
def test_missing_labels_are_masked(labels, labelled, values):
    found = infer_labels("t", np.array(labels), None, 100)
    assert found.labelled.tolist() == labelled
    assert found.values[found.labelled].tolist() == values


def test_single_entries_of_multilabel_may_be_missing():
    found = infer_labels("t", np.array([[0, -1], [1, 1]]), None, 100)
    assert found.labelled.tolist() == [True, True]
    assert torch.equal(found.values.isnan(), torch.tensor([[False, True], [False, False]]))


def test_pixels_without_a_label_are_ignored():
    masks = np.array([[[0, 1], [-1, 2]], [[-1, -1], [-1, -1]]])
    found = infer_labels("t", masks, (2, 2), 100)
    assert found.values[0].tolist() == [[0, 1], [255, 2]]
    assert found.labelled.tolist() == [True, False]


def test_rows_keep_their_labels_through_the_split(tmp_path):
    path = write(tmp_path, inputs=np.arange(N, dtype=float), twice=2.0 * np.arange(N), third=CLASSES)
    inputs, targets = everything(arrays.load(path, standardise=False))
    order = inputs[:, 0]
    assert sorted(order.tolist()) == list(range(N))
    assert torch.equal(targets["twice"], 2 * order)
    assert torch.equal(targets["third"], order.long() % 3)


def test_fractions_seed_and_statement(tmp_path):
    path = write(tmp_path, inputs=VECTORS, colour=CLASSES)
    splits = arrays.load(path, val=0.25, test=0.1, seed=3)
    assert [len(rows_of(splits, split)[0]) for split in ("train", "val", "test")] == [26, 10, 4]
    assert splits.statement == (
        "26/10/4 rows for train/val/test, split at random (data.seed=3); labels of all 40 rows taken for colour: "
        "Classification of 3"
    )
    again, other = (arrays.load(path, val=0.25, test=0.1, seed=seed) for seed in (3, 4))
    assert torch.equal(everything(splits)[1]["colour"], everything(again)[1]["colour"])
    assert not torch.equal(everything(splits)[1]["colour"], everything(other)[1]["colour"])


def test_splits_by_file(tmp_path):
    files = {
        name: write(tmp_path, f"{name}.npz", inputs=np.full((count, 2), count, float), y=np.arange(count) % 2)
        for name, count in (("train", 20), ("val", 6), ("test", 4))
    }
    splits = arrays.load(files["train"], files["val"], files["test"], standardise=False)
    for split, count in (("train", 20), ("val", 6), ("test", 4)):
        assert rows_of(splits, split)[0].tolist() == [[count, count]] * count
    assert "split by file;" in splits.statement


def test_one_split_by_file_and_one_by_fraction(tmp_path):
    path = write(tmp_path, inputs=np.zeros((20, 2)), y=np.arange(20) % 2)
    held_out = write(tmp_path, "t.npz", inputs=np.ones((6, 2)), y=np.arange(6) % 2, unused=np.zeros(3))
    splits = arrays.load(path, test_path=held_out, val=0.2, standardise=False)
    assert [len(rows_of(splits, split)[0]) for split in ("train", "val", "test")] == [16, 4, 6]
    assert rows_of(splits, "test")[0].unique().tolist() == [1]
    assert "split by file and at random" in splits.statement


@pytest.mark.parametrize("labels", [{"a": CLASSES, "b": VECTORS[:, 0]}])
def test_targets_choose_tasks_and_other_arrays_may_be_anything(tmp_path, labels):
    path = write(tmp_path, x=VECTORS, names=np.array(["a", "b"]), scale=np.array(2.0), **labels)
    assert [*arrays.load(path, inputs="x", targets=["b"]).inferred] == ["b"]


@pytest.mark.parametrize(
    ("shape", "dtype", "channels", "expected"),
    [
        ((N, 7), np.float64, "auto", (7,)),
        ((N,), np.float32, "auto", (1,)),
        ((N, 7), np.int16, "auto", (7,)),
        ((N, 7), np.uint8, "auto", (7,)),
        ((N, 6, 7), np.uint8, "auto", (1, 6, 7)),
        ((N, 3, 6, 7), np.uint8, "auto", (3, 6, 7)),
        ((N, 6, 7, 3), np.uint8, "auto", (3, 6, 7)),
        ((N, 6, 7, 3), np.float32, "auto", (3, 6, 7)),
        ((N, 3, 6, 3), np.float32, "auto", (3, 6, 3)),
        ((N, 3, 6, 3), np.float32, "last", (3, 3, 6)),
        ((N, 6, 7, 3), np.uint8, "first", (6, 7, 3)),
    ],
)
def test_inputs_become_standardised_vectors_or_images(tmp_path, shape, dtype, channels, expected):
    values = np.random.default_rng(1).integers(0, 200, shape).astype(dtype)
    splits = arrays.load(write(tmp_path, inputs=values, y=CLASSES), channels=channels)
    prepared, _, source = rows_of(splits, "train")
    axes = [0, *range(2, prepared.dim())]
    assert source.input_shape == expected
    assert prepared.dtype == torch.float32
    torch.testing.assert_close(prepared.mean(axes), torch.zeros(expected[0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(prepared.std(axes, correction=0), torch.ones(expected[0]), atol=1e-5, rtol=0)


def test_channels_last_images_are_transposed_not_reshaped(tmp_path):
    images = np.arange(N * 5 * 6 * 3, dtype=np.uint8).reshape(N, 5, 6, 3)
    path = write(tmp_path, inputs=images, row=np.arange(N))
    splits = arrays.load(path, standardise=False)
    prepared, targets, _ = rows_of(splits, "train")
    expected = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())[targets["row"]] / 255
    torch.testing.assert_close(prepared, expected)


def test_large_numbers_that_vary_little_keep_their_differences(tmp_path):
    seconds = 1.7e9 + np.arange(N)
    columns = np.stack([seconds, np.full(N, 0.1)], 1)
    prepared, targets, _ = rows_of(arrays.load(write(tmp_path, inputs=columns, y=np.arange(N) * 1.0)), "train")
    assert len(prepared[:, 0].unique()) == len(prepared)
    assert torch.corrcoef(torch.stack([prepared[:, 0], targets["y"]]))[0, 1] > 0.9999
    assert prepared[:, 1].abs().max() < 1e-6


def test_constant_image_channels_become_zero(tmp_path):
    prepared = rows_of(arrays.load(write(tmp_path, inputs=np.full((N, 4, 4), 0.1), y=CLASSES)), "train")[0]
    assert prepared.abs().max() < 1e-6


def broken(values: np.ndarray, row: int, entry: float) -> np.ndarray:
    changed = values.copy()
    changed[row] = entry
    return changed


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ({"x": VECTORS, "y": CLASSES}, {}, r"no array 'inputs' \(data.inputs\) \(there are: x, y\)"),
        ({"input": VECTORS, "y": CLASSES}, {}, "did you mean 'input'"),
        (
            {"inputs": VECTORS, "age": CLASSES},
            {"targets": ["agee"]},
            r"'agee' \(data.targets\); did you mean 'age'",
        ),
        ({"inputs": VECTORS, "y": CLASSES[:-1]}, {}, "40 rows of 'inputs' but 39 rows of 'y'"),
        ({"inputs": VECTORS, "y": np.array(3)}, {}, "a single number of 'y'"),
        ({"inputs": VECTORS}, {}, "no array besides 'inputs'"),
        ({"inputs": VECTORS, "y": CLASSES.astype(object)}, {}, "'y' of .* holds Python objects"),
        ({"inputs": VECTORS, "y": CLASSES.astype(str)}, {}, "'y' of .* should hold numbers"),
        ({"inputs": VECTORS, "a b": CLASSES}, {}, "an array of labels is called 'a b': use letters"),
        (
            {"inputs": broken(VECTORS, 7, NAN), "y": CLASSES},
            {},
            "'inputs' has NaN .* in 1 of 40 rows, .* row 8",
        ),
        (
            {"inputs": broken(VECTORS, 8, 1e200), "y": CLASSES},
            {},
            "infinite values in 1 of 40 rows, .* row 9: fill",
        ),
        ({"inputs": np.zeros((N, 0)), "y": CLASSES}, {}, r"should be vectors .* found shape \[40, 0\]"),
        ({"inputs": np.zeros((N, 1, 2, 2, 2)), "y": CLASSES}, {}, "should be vectors"),
        ({"inputs": VECTORS, "y": np.full(N, -1)}, {}, "task 'y' has no label in any row"),
        ({"inputs": VECTORS, "y": np.zeros(N, int)}, {}, "'y' has the class 0 in every row"),
        ({"inputs": VECTORS, "y": broken(VECTORS, 0, np.inf)}, {}, "'y' have 4 infinite values"),
        ({"inputs": VECTORS, "y": np.zeros((N, 2, 2))}, {}, "suit no kind of task"),
        (
            {"inputs": VECTORS, "y": broken(np.full(N, NAN), 0, 1.0)},
            {},
            "labels in 1 rows but in none of the",
        ),
        ({"inputs": np.zeros((N, 2, 2)), "y": np.full((N, 2, 2), 255)}, {}, "masks 'y' have no labelled pixel"),
        ({"inputs": np.zeros((N, 2, 2)), "y": np.full((N, 2, 2), 256)}, {}, "found 256 to 256"),
        ({"inputs": VECTORS[:6], "y": CLASSES[:6]}, {}, "1 of 6 rows are left for val, which needs 2"),
        ({"inputs": VECTORS[:0], "y": CLASSES[:0]}, {}, "0 of 0 rows"),
        ({"inputs": VECTORS, "y": CLASSES}, {"val": 0.6, "test": 0.5}, "below 1 in sum"),
        ({"inputs": VECTORS, "y": CLASSES}, {"val": 0}, "data.val=0 and data.test=0.15 must each be above 0"),
        (
            {"inputs": VECTORS, "y": CLASSES},
            {"channels": "lost"},
            "no data.channels 'lost'; did you mean 'last'",
        ),
    ],
)
def test_unusable_content_gets_one_line(tmp_path, content, options, message):
    path = write(tmp_path, **content)
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        arrays.load(path, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a .npz file"),
        (b"a,b\n1,2\n", "not a .npz file"),
        (b"PK\x03\x04 cut short", "not a .npz file"),
    ],
)
def test_files_of_other_formats_get_one_line(tmp_path, content, message):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        arrays.load(str(path))


def test_a_damaged_array_is_named(tmp_path):
    path = Path(write(tmp_path, inputs=VECTORS, y=CLASSES))
    content = bytearray(path.read_bytes())
    content[400] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"array 'inputs' of .* is damaged"):
        arrays.load(str(path))


def test_a_single_npy_array_is_refused(tmp_path):
    np.save(tmp_path / "mine.npy", VECTORS)
    with pytest.raises(DataError, match=r"single array \(.npy\)"):
        arrays.load(str(tmp_path / "mine.npy"))


def test_a_misspelt_file_name_gets_a_suggestion(tmp_path):
    path = write(tmp_path, "measurements.npz", inputs=VECTORS, y=CLASSES)
    with pytest.raises(DataError, match=r"did you mean 'measurements.npz'\?"):
        arrays.load(path.replace("ments", "mnets"))


def test_no_path_says_how_to_give_one():
    with pytest.raises(ConfigError, match=r"data.path=FILE.npz"):
        arrays.load()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"inputs": VECTORS[:, :3], "y": CLASSES},
            r"rows of 'inputs' are float64 \[4\] in .* but float64 \[3\]",
        ),
        ({"inputs": VECTORS, "y": CLASSES * 0.5}, r"rows of 'y' are int64 \[\] in .* but float64 \[\]"),
        ({"inputs": VECTORS, "z": CLASSES}, "val.npz has no array 'y'"),
    ],
)
def test_files_of_one_data_set_must_be_alike(tmp_path, other, message):
    path = write(tmp_path, inputs=VECTORS, y=CLASSES)
    with pytest.raises((DataError, ConfigError), match=message):
        arrays.load(path, val_path=write(tmp_path, "val.npz", **other))


def test_a_key_that_is_a_target_too_is_a_task(tmp_path):
    path = write(tmp_path, inputs=VECTORS, a=CLASSES, t=np.arange(N) * 0.5)
    assert [*arrays.load(path, targets=["a", "t"], order="t").inferred] == ["a", "t"]
    assert [*arrays.load(path, targets=["a"], order="t").inferred] == ["a"]
    assert [*arrays.load(path, order="t").inferred] == ["a"]


@pytest.mark.parametrize(
    ("option", "key"),
    [("group", np.array([f"p{row // 4}" for row in range(N)])), ("order", np.arange(N).astype("M8[D]"))],
)
def test_rows_are_split_by_texts_and_times(tmp_path, option, key):
    path = write(tmp_path, inputs=np.arange(N * 1.0)[:, None], a=np.arange(N) % 2, key=key)
    splits = arrays.load(path, standardise=False, **{option: "key"})
    found = [{str(key[int(row)]) for row in rows_of(splits, split)[0][:, 0]} for split in ("train", "val", "test")]
    assert sum(map(len, found)) == len(set.union(*found)) == len(set(key.tolist()))


def test_rows_are_split_by_the_inputs_themselves(tmp_path):
    path = write(tmp_path, inputs=np.arange(N)[::-1] * 1.0, a=np.arange(N) % 2)
    assert rows_of(arrays.load(path, order="inputs", standardise=False), "test")[0].min() == N - 6
    with pytest.raises(DataError, match=r"array 'inputs' has the shape \[40, 2\]: rows are split by one value each"):
        arrays.load(write(tmp_path, "two.npz", inputs=np.zeros((N, 2)), a=np.arange(N) % 2), order="inputs")
