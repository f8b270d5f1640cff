"""GTSRB, from small files in the format of the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mtlrun.data.drawn.road.crops import KINDS
from mtlrun.data.readers.gtsrb import GROUPS, NUM_CLASSES, sign_sources
from mtlrun.errors import ConfigError, DataError


def write(root: Path, training: str = "GTSRB/Final_Training/Images", answers: str = "GTSRB") -> Path:
    """Two tracks of three pictures for each class, and a test picture; the grey of a picture tells its class."""
    for number in range(NUM_CLASSES):
        folder = root / training / f"{number:05d}"
        folder.mkdir(parents=True)
        for track in range(2):
            for frame in range(3):
                picture(folder / f"{track:05d}_{frame:05d}.ppm", number)
        (folder / f"GT-{number:05d}.csv").write_text("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n")
    test = root / "GTSRB/Final_Test/Images"
    test.mkdir(parents=True)
    lines = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for number in range(NUM_CLASSES):
        picture(test / f"{number:05d}.ppm", number)
        lines.append(f"{number:05d}.ppm;8;8;1;1;7;7;{number}")
    (root / answers / "GT-final_test.csv").write_text("\n".join(lines))
    return root


def picture(path: Path, number: int) -> None:
    Image.fromarray(np.full((8, 8, 3), 5 * number, dtype=np.uint8)).save(path)


def numbers(source) -> tuple[list[int], list[int]]:
    """Classes told from the pictures, and the targets."""
    inputs, targets = source.fetch(torch.arange(len(source)))
    return (inputs.float().mean((1, 2, 3)) / 5).round().int().tolist(), targets["sign"].tolist()


def test_all_classes_are_those_of_the_files(tmp_path: Path) -> None:
    made = sign_sources(write(tmp_path), 16, "all", 0.2, 0)
    assert made["test"].input_shape == (3, 16, 16)
    for split in made.values():
        seen, targets = numbers(split)
        assert seen == targets
    assert len(made["test"]) == NUM_CLASSES
    assert len(made["train"]) + len(made["val"]) == 6 * NUM_CLASSES


def test_validation_gets_whole_tracks(tmp_path: Path) -> None:
    made = sign_sources(write(tmp_path), 16, "all", 0.2, 0)
    tracks = [{path.rpartition("_")[0] for path in made[split]._pictures.paths} for split in ("train", "val")]  # type: ignore[attr-defined]
    assert not tracks[0] & tracks[1]
    assert len(tracks[1]) == round(0.2 * 2 * NUM_CLASSES)
    assert len(made["val"]) == 3 * len(tracks[1])


def test_classes_can_be_those_of_the_drawn_signs(tmp_path: Path) -> None:
    made = sign_sources(write(tmp_path), 16, "driving", 0.2, 0)
    seen, targets = numbers(made["test"])
    assert all(number in GROUPS[KINDS[target]] for number, target in zip(seen, targets))
    assert sorted(seen) == sorted(number for group in GROUPS.values() for number in group)


def test_groups_are_apart_and_known() -> None:
    members = [number for group in GROUPS.values() for number in group]
    assert tuple(GROUPS) == KINDS
    assert len(members) == len(set(members))
    assert set(members) < set(range(NUM_CLASSES))


@pytest.mark.parametrize("training", ["GTSRB/Training", "Final_Training/Images"])
@pytest.mark.parametrize("answers", [".", "GTSRB/Final_Test/Images"])
def test_files_are_found_where_they_usually_lie(tmp_path: Path, training: str, answers: str) -> None:
    assert len(sign_sources(write(tmp_path, training, answers), 16, "all", 0.2, 0)["test"]) == NUM_CLASSES


@pytest.mark.parametrize("gone", ["GTSRB/Final_Training", "GTSRB/Final_Test", "GTSRB/GT-final_test.csv"])
def test_absent_files_are_named_with_where_they_are(tmp_path: Path, gone: str) -> None:
    write(tmp_path).joinpath(gone).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError) as caught:
        sign_sources(tmp_path, 16, "all", 0.2, 0)
    message = str(caught.value)
    for part in ("Final_Training/Images", "Final_Test/Images", "GT-final_test.csv", "https://", "data.signs=none"):
        assert part in message
    assert "\n" not in message


def test_malformed_answers_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "GTSRB/GT-final_test.csv").write_text("Filename;ClassId\n00000.ppm;stop\n")
    with pytest.raises(DataError, match="ClassId should hold whole numbers"):
        sign_sources(tmp_path, 16, "all", 0.2, 0)
    (tmp_path / "GTSRB/GT-final_test.csv").write_text("Filename,ClassId\n00000.ppm,1\n")
    with pytest.raises(DataError, match="no column 'Filename'"):
        sign_sources(tmp_path, 16, "all", 0.2, 0)


@pytest.mark.parametrize(
    ("classes", "val", "message"),
    [("al", 0.1, "did you mean 'all'"), ("all", 0.0, "data.val should be a share above 0")],
)
def test_impossible_options_are_refused(tmp_path: Path, classes: str, val: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sign_sources(tmp_path, 16, classes, val, 0)


def write_kaggle(root: Path) -> Path:
    """The same pictures as `write` makes, as Kaggle has them."""
    columns = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path"
    training, test = [columns], [columns]
    for number in range(NUM_CLASSES):
        (root / f"Train/{number}").mkdir(parents=True)
        for track in range(2):
            for frame in range(3):
                name = f"Train/{number}/{number:05d}_{track:05d}_{frame:05d}.png"
                picture(root / name, number)
                training.append(f"8,8,1,1,7,7,{number},{name}")
        (root / "Test").mkdir(exist_ok=True)
        picture(root / f"Test/{number:05d}.png", number)
        test.append(f"8,8,1,1,7,7,{number},Test/{number:05d}.png")
    (root / "Train.csv").write_text("\n".join(training))
    (root / "Test.csv").write_text("\n".join(test))
    return root


@pytest.mark.parametrize("classes", ["all", "driving"])
def test_kaggle_s_tables_are_the_same_rows_and_splits(tmp_path: Path, classes: str) -> None:
    official = sign_sources(write(tmp_path / "official"), 16, classes, 0.2, 0)
    kaggle = sign_sources(write_kaggle(tmp_path / "kaggle"), 16, classes, 0.2, 0)
    for split, source in official.items():
        assert numbers(source) == numbers(kaggle[split])
    tracks = [{path.rpartition("_")[0] for path in kaggle[split]._pictures.paths} for split in ("train", "val")]  # type: ignore[attr-defined]
    assert not tracks[0] & tracks[1]


def test_torchvision_s_folder_and_a_folder_for_each_archive(tmp_path: Path) -> None:
    write(tmp_path / "tv/gtsrb", "GTSRB/Training", ".")
    assert len(sign_sources(tmp_path / "tv", 16, "all", 0.2, 0)["test"]) == NUM_CLASSES
    write(tmp_path / "own")
    for name in ("Final_Training", "Final_Test"):
        (tmp_path / f"own/GTSRB_{name}_Images/GTSRB").mkdir(parents=True)
        (tmp_path / f"own/GTSRB/{name}").rename(tmp_path / f"own/GTSRB_{name}_Images/GTSRB/{name}")
    assert len(sign_sources(tmp_path / "own", 16, "all", 0.2, 0)["test"]) == NUM_CLASSES


def test_a_folder_too_low_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"but in {tmp_path}: set data.root={tmp_path}\)"):
        sign_sources(write_kaggle(tmp_path) / "Train", 16, "all", 0.2, 0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Train/7/", "Train/8/", r"lists .*Train/8/00007.*, which is not there: unpack"),
        (",7,Train/7/", ",99,Train/7/", r"classes from 0 to 42, found 99"),
    ],
)
def test_kaggle_s_malformed_tables(tmp_path: Path, old: str, new: str, message: str) -> None:
    table = write_kaggle(tmp_path) / "Train.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        sign_sources(tmp_path, 16, "all", 0.2, 0)
