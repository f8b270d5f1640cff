"""What masks hold: found once, by threads, and kept of many files."""

import logging

import numpy as np
import pytest
from PIL import Image

from mtlrun.data.readers import mask_codes
from mtlrun.data.readers.class_masks import DamagedFile, pixels_of
from mtlrun.data.readers.mask_codes import codes_of_masks

VALUES = [[0, 3], [3, 255], [7]]
SIZES = [(6, 9), (4, 4), (3, 11)]


@pytest.fixture
def files(tmp_path):
    made = []
    for number, (values, size) in enumerate(zip(VALUES, SIZES)):
        pixels = np.full(size, values[0], np.uint8)
        pixels[-1, -1] = values[-1]
        made.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(pixels).save(made[-1])
    return made


def test_values_and_sizes_of_all_files(files):
    found = codes_of_masks(files, in_colours=False)
    assert found.codes.tolist() == [0, 3, 7, 255]
    assert [tuple(size) for size in found.sizes.tolist()] == SIZES


def test_colours_are_codes(tmp_path):
    pixels = np.zeros((5, 4, 3), np.uint8)
    pixels[2, 1] = (1, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    assert pixels_of(str(tmp_path / "one.png"), True)[2, 1] == 0x010203
    assert codes_of_masks([str(tmp_path / "one.png")], in_colours=True).codes.tolist() == [0, 0x010203]


def test_of_many_files_it_is_kept_until_one_changes(files, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(mask_codes, "MANY", 3)
    monkeypatch.setattr(mask_codes, "PATIENCE", -1.0)
    monkeypatch.setattr(mask_codes, "AT_ONCE", 2)
    with caplog.at_level(logging.INFO, logger="mtlrun"):
        first = codes_of_masks(files, in_colours=False)
        assert caplog.messages == ["read 2 of 3 masks", "read 3 of 3 masks"]
        again = codes_of_masks(files, in_colours=False)
        assert len(caplog.messages) == 2, "nothing was read"
        assert again.codes.tolist() == first.codes.tolist()
        Image.fromarray(np.full((4, 4), 9, np.uint8)).save(files[1])
        assert codes_of_masks(files, in_colours=False).codes.tolist() == [0, 3, 7, 9]


def test_the_first_file_that_is_no_mask_is_named(files):
    with open(files[1], "wb") as file:
        file.write(b"no picture")
    with pytest.raises(DamagedFile, match=r"1\.png"):
        codes_of_masks(files, in_colours=False)
