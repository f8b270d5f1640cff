"""GTSRB: crops of 43 German traffic signs in files, as a source for the task `sign`.

Stallkamp et al., "Man vs. computer" (2012), https://doi.org/10.1016/j.neunet.2012.02.016: 39,209 training pictures,
30 of each physical sign (a track), and 12,630 test pictures. Validation gets whole tracks, so that no sign is in two
splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from mtlrun.data.drawn.road.crops import KINDS
from mtlrun.data.readers.folders import above, step_down
from mtlrun.data.readers.image_files import LazySource, Pictures, sample_statistics
from mtlrun.data.readers.plain_files import read_csv
from mtlrun.errors import DataError, choose
from mtlrun.options import share

NUM_CLASSES = 43
TRAINING = ("GTSRB/Final_Training/Images", "GTSRB/Training", "Final_Training/Images", "Training")
TESTING = ("GTSRB/Final_Test/Images", "Final_Test/Images")
ANSWERS = "GT-final_test.csv"
TABLES = {"train": "Train.csv", "test": "Test.csv"}
"""Of the collection as Kaggle has it, with the pictures as .png in Train/0/ to Train/42/ and in Test/."""
HOME = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/published-archive.html"

GROUPS: dict[str, tuple[int, ...]] = {
    "stop": (14,),
    "give_way": (13,),
    "speed_limit": (0, 1, 2, 3, 4, 5, 7, 8),
    "no_entry": (17,),
    "priority": (12,),
    "mandatory": tuple(range(33, 41)),
    "crossing": (),
    "warning": (11, *range(18, 32)),
}
"""The classes of GTSRB in each class of the drawn signs. Ends of limits and bans (6, 32, 41, 42) and bans of vehicles
(9, 10, 15, 16) have none, and GTSRB has no blue sign for a crossing."""

CLASSES = ("driving", "all")


@dataclass(frozen=True)
class Signs:
    """Picture files, the class of each in GTSRB, and the track it belongs to."""

    paths: list[Path]
    classes: list[int]
    tracks: list[str]

    def take(self, rows: list[int]) -> Signs:
        """The given rows."""
        return Signs(
            [self.paths[row] for row in rows],
            [self.classes[row] for row in rows],
            [self.tracks[row] for row in rows],
        )

    def grouped(self) -> Signs:
        """Rows that have a class among the drawn signs, with that class."""
        kinds = {number: KINDS.index(kind) for kind, numbers in GROUPS.items() for number in numbers}
        chosen = self.take([row for row, number in enumerate(self.classes) if number in kinds])
        return Signs(chosen.paths, [kinds[number] for number in chosen.classes], chosen.tracks)


def sign_sources(root: Path, size: int, classes: str, val: float, seed: int) -> dict[str, LazySource]:
    """Per split the source `signs` with the task `sign`: targets int64 [N], pictures uint8 [3, size, size].

    Args:
        root: folder with the archives' folder GTSRB, or with Kaggle's tables; or up to two levels above.
        size: height and width that the pictures are stretched to.
        classes: 'driving' for the eight classes of the drawn signs, 'all' for the 43 of GTSRB.
        val: share of the tracks for validation.
        seed: of the choice of these tracks.

    Raises:
        ConfigError: if an option is out of range.
        DataError: if files are missing or malformed.
    """
    choose(classes, CLASSES, "data.signs"), share("data.val", val, empty=False)
    training, test = read_training(root), read_test(root)
    parts = {**split_tracks(training, val, seed), "test": test}
    if classes == "driving":
        parts = {split: signs.grouped() for split, signs in parts.items()}
    pictures = {split: Pictures(signs.paths, (size, size)) for split, signs in parts.items()}
    mean, std = sample_statistics(pictures["train"])
    answers = {split: torch.tensor(signs.classes, dtype=torch.int64) for split, signs in parts.items()}
    return {split: LazySource("signs", pictures[split], {"sign": answers[split]}, None, mean, std) for split in parts}


def read_training(root: Path) -> Signs:
    """The training pictures: a folder per class, files named after track and frame."""
    folder = found(root, TRAINING)
    if folder is None:
        return read_table(root, TABLES["train"])
    paths = sorted(folder.glob("[0-9]*/*.ppm"))
    if not paths or any(int(path.parent.name) >= NUM_CLASSES for path in paths):
        raise absent(root)
    return Signs(
        paths,
        [int(path.parent.name) for path in paths],
        [f"{path.parent.name}/{path.stem.partition('_')[0]}" for path in paths],
    )


def read_test(root: Path) -> Signs:
    """The test pictures, with the classes that were published later."""
    folder = found(root, TESTING)
    if folder is None and found(root, TRAINING) is None:
        return read_table(root, TABLES["test"])
    table = answers_of(root, folder)
    if folder is None or table is None:
        raise absent(root)
    lines = read_csv(table, ("Filename", "ClassId"), delimiter=";")
    names = [line["Filename"] for line in lines]
    return Signs([folder / name for name in names], classes_in(table, lines), names)


def answers_of(root: Path, folder: Path | None) -> Path | None:
    """The table of the test's classes: near the pictures, else anywhere below the root."""
    near = [folder, folder.parent, folder.parent.parent] if folder else []
    there = next((inner for inner in near if (inner / ANSWERS).is_file()), None)
    there = there or step_down(root, lambda inner: (inner / ANSWERS).is_file())
    return None if there is None else there / ANSWERS


def read_table(root: Path, name: str) -> Signs:
    """The pictures that a table of Kaggle lists; their names are class, track and frame, such as 00020_00001_00029.png.

    In the order of the official archives, so that the same tracks are held out.
    """
    folder = step_down(root, lambda folder: (folder / name).is_file())
    if folder is None:
        raise absent(root)
    lines = sorted(read_csv(folder / name, ("Path", "ClassId")), key=lambda line: Path(line["Path"]).name)
    paths = [folder / line["Path"] for line in lines]
    lacking = next((path for path in paths if not path.is_file()), None)
    if lacking is not None:
        raise DataError(f"{folder / name} lists {lacking}, which is not there: unpack the archive again")
    classes = classes_in(folder / name, lines)
    return Signs(paths, classes, [f"{number:05d}/{track_of(path)}" for number, path in zip(classes, paths)])


def track_of(path: Path) -> str:
    """The second field of the name of Kaggle's pictures; of the test's, which have one field, that one."""
    return path.stem.split("_")[:2][-1]


def classes_in(table: Path, lines: list[dict[str, str]]) -> list[int]:
    """The column of the classes."""
    try:
        classes = [int(line["ClassId"]) for line in lines]
    except ValueError as error:
        raise DataError(f"{table}: the column ClassId should hold whole numbers ({error})") from error
    wrong = next((number for number in classes if not 0 <= number < NUM_CLASSES), None)
    if wrong is not None:
        raise DataError(f"{table}: the column ClassId should hold classes from 0 to {NUM_CLASSES - 1}, found {wrong}")
    return classes


def split_tracks(signs: Signs, val: float, seed: int) -> dict[str, Signs]:
    """Training and validation rows, apart by track."""
    tracks = sorted(set(signs.tracks))
    order = torch.randperm(len(tracks), generator=torch.Generator().manual_seed(seed)).tolist()
    held_out = {tracks[index] for index in order[: max(1, round(val * len(tracks)))]}
    rows = range(len(signs.paths))
    return {
        "train": signs.take([row for row in rows if signs.tracks[row] not in held_out]),
        "val": signs.take([row for row in rows if signs.tracks[row] in held_out]),
    }


def found(root: Path, folders: tuple[str, ...]) -> Path | None:
    """The first of the folders that is there, or up to two levels below."""
    for name in folders:
        folder = step_down(root, lambda folder: (folder / name).is_dir())  # noqa: B023
        if folder is not None:
            return folder / name
    return None


def absent(root: Path) -> DataError:
    """What to tell a user who has no such files."""
    hint = above(root, lambda folder: any((folder / name).exists() for name in (*TRAINING, TABLES["train"])))
    return DataError(
        f"no GTSRB in {root}{hint}: it is {TRAINING[0]}/00000/*.ppm to 00042/*.ppm, {TESTING[0]}/*.ppm and {ANSWERS} "
        f"(of GTSRB_Final_Test_GT.zip), from {HOME}, or {TABLES['train']}, {TABLES['test']}, Train/ and Test/ of "
        "Kaggle; or leave the signs out with data.signs=none tasks=[detection,lane,drivable]"
    )
