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
from mtlrun.data.readers.image_files import LazySource, Pictures, sample_statistics
from mtlrun.data.readers.plain_files import read_csv
from mtlrun.errors import DataError, choose
from mtlrun.options import share

NUM_CLASSES = 43
TRAINING = ("GTSRB/Final_Training/Images", "GTSRB/Training", "Final_Training/Images", "Training")
TESTING = ("GTSRB/Final_Test/Images", "Final_Test/Images")
ANSWERS = "GT-final_test.csv"
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
        root: folder with the archives' folder GTSRB.
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
    tables = [above / ANSWERS for above in (folder, folder.parent, folder.parent.parent, root)]
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        raise absent(root)
    lines = read_csv(table, ("Filename", "ClassId"), delimiter=";")
    try:
        classes = [int(line["ClassId"]) for line in lines]
    except ValueError as error:
        raise DataError(f"{table}: the column ClassId should hold whole numbers ({error})") from error
    return Signs([folder / line["Filename"] for line in lines], classes, [line["Filename"] for line in lines])


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


def found(root: Path, folders: tuple[str, ...]) -> Path:
    """The first of the folders that is there."""
    folder = next((root / name for name in folders if (root / name).is_dir()), None)
    if folder is None:
        raise absent(root)
    return folder


def absent(root: Path) -> DataError:
    """What to tell a user who has no such files."""
    return DataError(
        f"no GTSRB in {root}: it is {TRAINING[0]}/00000/*.ppm to 00042/*.ppm, {TESTING[0]}/*.ppm and {ANSWERS} (of "
        f"GTSRB_Final_Test_GT.zip), from {HOME}; or leave the signs out with data.signs=none "
        "tasks=[detection,lane,drivable]"
    )
