"""Names in users' files: each stands for one thing, and a list of names is a list."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mtlrun.data.readers.bdd100k_labels import read_boxes
from mtlrun.data.readers.bdd100k_words import Census
from mtlrun.data.readers.plain_files import read_csv
from mtlrun.data.sets.arrays import load
from mtlrun.errors import ConfigError, DataError

LABELS = np.arange(40) % 2


def write(folder: Path, **arrays: np.ndarray) -> str:
    np.savez(folder / "mine.npz", inputs=np.arange(80.0).reshape(40, 2), **arrays)
    return str(folder / "mine.npz")


def test_a_name_by_itself_is_not_read_letter_by_letter(tmp_path):
    path = write(tmp_path, colour=LABELS, c=LABELS)
    with pytest.raises(
        ConfigError, match=r"data.targets should be a list, found 'colour': write data.targets=\[colour\]"
    ):
        load(path, targets="colour")


def test_a_target_is_named_once(tmp_path):
    with pytest.raises(ConfigError, match=r"data.targets has 'a' twice"):
        load(write(tmp_path, a=LABELS), targets=["a", "a"])


def test_whole_numbers_are_names_too(tmp_path):
    """What Hydra makes of data.inputs=0 data.targets=[1]."""
    np.savez(tmp_path / "mine.npz", **{"0": np.arange(80.0).reshape(40, 2), "1": LABELS, "2": LABELS})
    assert [*load(str(tmp_path / "mine.npz"), inputs=0, targets=[1]).inferred] == ["1"]


def test_two_arrays_of_one_name_are_refused(tmp_path):
    path = write(tmp_path, y=LABELS)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("y.npy", archive.read("y.npy"))
    with pytest.raises(DataError, match=r"mine.npz holds two arrays called 'y'"):
        load(path)


def test_two_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "table.csv").write_text("name,label,label\na,1,0\n")
    with pytest.raises(DataError, match="has two columns called 'label'"):
        read_csv(tmp_path / "table.csv", ("name", "label"))
    assert read_csv(tmp_path / "table.csv", ("name",))[0]["name"] == "a"


def test_two_frames_of_one_picture_are_refused(tmp_path):
    (tmp_path / "det.json").write_text('[{"name": "a.jpg"}, {"name": "b.jpg"}, {"name": "a.jpg"}]')
    with pytest.raises(DataError, match=r"names picture a.jpg twice"):
        read_boxes(tmp_path / "det.json", Census({"car": 0}))
