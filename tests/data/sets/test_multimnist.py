import gzip
import inspect
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from mtlrun.data.drawn.overlay import draw_pairs, shrink
from mtlrun.data.readers import digit_files
from mtlrun.data.readers.digit_files import FASHION, PARTS, Collection
from mtlrun.data.sets import multimnist
from mtlrun.errors import ConfigError, DataError

CONF = Path(__file__).parents[3] / "conf"
DEBIAN = Path(FASHION.fallbacks[0])
FEW = {"num_train": 30, "num_val": 12, "num_test": 12}


def idx_bytes(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def write_collection(folder: Path, brightness: int = 1, suffix: str = "", style: str = "-idx") -> Path:
    """Every picture is a full square of brightness x (its class + 1): its pixels tell its class."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 60), ("t10k", 12)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.broadcast_to(((labels + 1) * brightness)[:, None, None], (count, 28, 28)).copy()
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(values)
            name = f"{part}-{kind}-ubyte{suffix}".replace("-idx", style)
            (folder / name).write_bytes(gzip.compress(content) if suffix else content)
    return folder


@pytest.fixture(autouse=True)
def no_system_packages(monkeypatch):
    bare = Collection("FashionMNIST", FASHION.folders, (), FASHION.package)
    monkeypatch.setitem(multimnist.COLLECTIONS, "fashion", (bare, bare))
    monkeypatch.setitem(multimnist.COLLECTIONS, "both", (bare, digit_files.MNIST))


def rows_of(splits, split):
    [source] = getattr(splits, split)
    inputs, targets = source.fetch(torch.arange(len(source)))
    return inputs, targets["left"], targets["right"]


def test_yaml_states_every_option_with_its_default():
    stated = yaml.safe_load((CONF / "data" / "multimnist.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.multimnist.load"
    assert stated.pop("root") == "${oc.env:MTLRUN_DATA,null}"
    defaults = {name: p.default for name, p in inspect.signature(multimnist.load).parameters.items()}
    assert defaults.pop("root") is None
    assert stated == defaults


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("style", ["-idx", ".idx"])
@pytest.mark.parametrize(
    ("digits", "folder"),
    [("mnist", "MNIST/raw"), ("mnist", "."), ("fashion", "FashionMNIST/raw"), ("fashion", "fashion-mnist")],
)
def test_files_are_found_where_they_usually_lie(tmp_path, digits, folder, suffix, style):
    write_collection(tmp_path / folder, suffix=suffix, style=style)
    splits = multimnist.load(digits=digits, root=str(tmp_path), **FEW)
    assert str(tmp_path / folder) in splits.statement
    assert [len(part[0]) for part in (splits.train, splits.val, splits.test)] == [30, 12, 12]


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("offset", [6, 8])
def test_canvas_shows_the_labelled_items_in_their_places(tmp_path, split, offset):
    write_collection(tmp_path, brightness=20)
    splits = multimnist.load(root=str(tmp_path), size=36, offset=offset, **FEW)
    inputs, left, right = rows_of(splits, split)
    bright_left, bright_right = 20 * (left + 1), 20 * (right + 1)
    assert inputs.shape[1:] == (1, 36, 36)
    assert torch.equal(inputs[:, 0, 0, 0].long(), bright_left)
    assert torch.equal(inputs[:, 0, offset + 27, offset + 27].long(), bright_right)
    assert torch.equal(inputs[:, 0, 14, 14].long(), torch.maximum(bright_left, bright_right))
    assert inputs[:, 0, 0, 35].max() == 0


def test_both_lays_fashion_left_and_mnist_right(tmp_path):
    write_collection(tmp_path / "FashionMNIST/raw", brightness=1)
    write_collection(tmp_path / "MNIST/raw", brightness=20)
    inputs, left, right = rows_of(multimnist.load("both", str(tmp_path), size=36, **FEW), "train")
    assert torch.equal(inputs[:, 0, 0, 0].long(), left + 1)
    assert torch.equal(inputs[:, 0, 33, 33].long(), 20 * (right + 1))


def test_both_does_not_take_one_folder_for_two_collections(tmp_path):
    write_collection(tmp_path)
    with pytest.raises(DataError, match="no FashionMNIST files"):
        multimnist.load("both", str(tmp_path))


def test_training_and_validation_pictures_are_the_official_ones_in_order(tmp_path):
    train, val, test = multimnist.read_parts(write_collection(tmp_path))
    assert train.labels.tolist() == [index % 10 for index in range(50)]
    assert val.labels.tolist() == [index % 10 for index in range(50, 60)]
    assert len(test.labels) == 12


def test_each_picture_is_once_on_each_side_when_there_are_as_many_pairs(tmp_path):
    write_collection(tmp_path)
    _, left, right = rows_of(multimnist.load(root=str(tmp_path), num_train=50, num_val=1, num_test=1), "train")
    assert left.bincount().tolist() == right.bincount().tolist() == [5] * 10


def test_equal_classes_can_be_left_out(tmp_path):
    write_collection(tmp_path)
    splits = multimnist.load(root=str(tmp_path), same_class=False, num_train=400, num_val=100, num_test=100)
    for split in ("train", "val", "test"):
        _, left, right = rows_of(splits, split)
        assert (left != right).all()


def test_shrink_takes_the_pixel_nearest_to_each_centre():
    ramp = torch.arange(36, dtype=torch.uint8).expand(1, 36, 36)
    expected = [int((column + 0.5) * 36 / 28) for column in range(28)]
    assert shrink(ramp, 28)[0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"digits": "minst"}, "did you mean 'mnist'"),
        ({"size": 32}, r"data.size must be 28 \(shrunk\) or 36"),
        ({"offset": 9}, "data.offset must lie between 0 and 8"),
        ({"num_train": 0}, "data.num_train should be a whole number from 1 to 10000000, found 0"),
    ],
)
def test_impossible_options_are_refused_before_any_file_is_read(options, message):
    with pytest.raises(ConfigError, match=message):
        multimnist.load(**options)


@pytest.mark.parametrize(("digits", "name"), [("mnist", "MNIST"), ("fashion", "FashionMNIST")])
def test_absent_files_are_named_with_the_remedy(tmp_path, digits, name):
    with pytest.raises(DataError) as caught:
        multimnist.load(digits, str(tmp_path))
    line = str(caught.value)
    assert "\n" not in line
    assert all(f"{part}-ubyte" in line for part in PARTS)
    assert str(tmp_path / name / "raw") in line
    assert f"d.{name}('{tmp_path}', train=t, download=True)" in line
    assert ("apt-get install dataset-fashion-mnist" in line) == (digits == "fashion")


def test_a_missing_fourth_file_is_named(tmp_path):
    (write_collection(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=f"{tmp_path} lacks t10k-labels-idx1-ubyte"):
        multimnist.load(root=str(tmp_path))


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("train-labels-idx1", np.zeros(59, np.uint8), "60 pictures but .* 59 labels"),
        ("train-labels-idx1", np.full(60, 10, np.uint8), "classes 0 to 9, found 10"),
        ("t10k-images-idx3", np.zeros((12, 32, 32), np.uint8), "28 x 28 pictures, found 32 x 32"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, part, values, message):
    (write_collection(tmp_path) / f"{part}-ubyte").write_bytes(idx_bytes(values))
    with pytest.raises(DataError, match=message):
        multimnist.load(root=str(tmp_path))


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian_is_found_without_a_root(tmp_path, monkeypatch):
    monkeypatch.setitem(multimnist.COLLECTIONS, "fashion", (FASHION, FASHION))
    monkeypatch.setattr(multimnist, "DEFAULT_ROOT", str(tmp_path / "nothing"))
    [folder] = {*multimnist.folders_of("fashion", None)}
    train, val, test = multimnist.read_parts(folder)
    assert folder == DEBIAN
    assert train.images.shape == (50_000, 28, 28)
    assert torch.cat([train.labels, val.labels]).bincount().tolist() == [6000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10


def test_shifted_items_stay_whole_near_their_corners(tmp_path):
    write_collection(tmp_path, brightness=20)
    splits = multimnist.load(root=str(tmp_path), size=36, offset=8, shift=4, **FEW)
    inputs, left, right = rows_of(splits, "train")
    seen = inputs[:, 0].long()
    assert (seen.amax((1, 2)) == 20 * (torch.maximum(left, right) + 1)).all()
    rows, columns = (seen.amax(axis) > 0 for axis in (2, 1))
    for present in (rows, columns):
        first = present.int().argmax(1)
        last = 35 - present.int().flip(1).argmax(1)
        assert first.min() >= 0
        assert first.max() <= 4  # of the left item
        assert last.min() >= 31  # of the right one
        assert len(first.unique()) > 2
    assert torch.equal(seen[:, 14, 14], 20 * (torch.maximum(left, right) + 1))


def test_all_training_pictures_can_be_trained_on(tmp_path):
    write_collection(tmp_path)
    train, val, test = multimnist.read_parts(tmp_path, held_out=False)
    assert (len(train.labels), len(val.labels), len(test.labels)) == (60, 60, 12)
    assert "(both train and val)" in multimnist.load(root=str(tmp_path), held_out=False, **FEW).statement


@pytest.mark.parametrize(("normalisation", "zero"), [("digits", -0.1307 / 0.3081), ("none", 0.0)])
def test_normalisation_by_known_statistics(tmp_path, normalisation, zero):
    write_collection(tmp_path)
    [source] = multimnist.load(root=str(tmp_path), size=36, normalisation=normalisation, **FEW).train
    prepared = source.prepare(source.fetch(torch.arange(2))[0])
    assert prepared[0, 0, 0, 35].item() == pytest.approx(zero, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shift": 7}, "data.shift=7: must be at most data.offset=6"),
        ({"held_out": "no"}, "data.held_out must be true or false"),
        ({"normalisation": "canvas"}, "did you mean 'canvases'"),
    ],
)
def test_impossible_variants_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        multimnist.load(**options)


def write_folders(root: Path, folder: str, parts: tuple[str, str], numbered: bool = True) -> None:
    """The same pictures as `write_collection` makes, one file each, with their places for names."""
    for part, count in zip(parts, (60, 12)):
        for row in range(count):
            path = root / folder / part / str(row % 10) / (f"{row}.png" if numbered else f"img_{row // 10}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((28, 28), row % 10 + 1, dtype=np.uint8)).save(path)


@pytest.mark.parametrize(
    ("folder", "parts"),
    [
        ("mnist_png", ("training", "testing")),
        (".", ("train", "test")),
        ("data/mnist_png", ("training", "testing")),
        ("mnist", ("trainingSet/trainingSet", "testSet/testSet")),
    ],
)
def test_a_folder_for_each_class_has_the_rows_of_the_idx_files(tmp_path, folder, parts):
    write_collection(tmp_path / "idx")
    write_folders(tmp_path / "png", folder, parts)
    idx, png = (multimnist.load(root=str(tmp_path / name), **FEW) for name in ("idx", "png"))
    for split in ("train", "val", "test"):
        assert all(torch.equal(one, other) for one, other in zip(rows_of(idx, split), rows_of(png, split)))


def test_pictures_without_places_are_mixed(tmp_path):
    write_folders(tmp_path, ".", ("training", "testing"), numbered=False)
    _, left, right = rows_of(multimnist.load(root=str(tmp_path), **FEW), "val")
    assert len({*left.tolist(), *right.tolist()}) > 4  # sorted by class, the last sixth has one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda root: shutil.rmtree(root / "testing"),
            r"folders of digits for one part alone: it needs training/0 to 9",
        ),
        (
            lambda root: Image.new("L", (32, 32)).save(root / "testing/3/3.png"),
            r"3\.png should be a picture of 28 x 28",
        ),
        (lambda root: (root / "testing/3/3.png").write_bytes(b"x"), r"3\.png is damaged, or no picture"),
        (lambda root: shutil.rmtree(root / "training/7"), r"for one part alone"),
    ],
)
def test_folders_of_digits_that_are_not_whole_are_told(tmp_path, change, message):
    write_folders(tmp_path, ".", ("training", "testing"))
    change(tmp_path)
    with pytest.raises(DataError, match=message):
        multimnist.load(root=str(tmp_path), **FEW)


def test_the_files_of_another_collection_are_not_taken(tmp_path):
    write_collection(tmp_path / "data/FashionMNIST/raw")
    assert len(multimnist.load(digits="fashion", root=str(tmp_path), **FEW).test[0]) == 12
    with pytest.raises(DataError, match="no MNIST files"):
        multimnist.load(digits="mnist", root=str(tmp_path), **FEW)


@pytest.mark.parametrize(
    ("left", "right", "drawn"), [([0, 1], [0, 0], False), ([1, 2], [0, 0], True), ([0], [0, 1], True)]
)
def test_pairs_of_different_classes_need_one_for_each_left_item(left, right, drawn):
    """It was drawn again without end."""
    args = torch.tensor(left), torch.tensor(right), 8, False, torch.Generator().manual_seed(0)
    if drawn:
        rows = draw_pairs(*args)
        assert (args[0][rows[0]] != args[1][rows[1]]).all()
    else:
        with pytest.raises(ConfigError, match=r"every right item has the class of some left one"):
            draw_pairs(*args)
