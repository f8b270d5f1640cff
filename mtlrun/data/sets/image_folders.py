"""Detectors from folders of pictures, one folder per kind of thing: is one of these in the picture?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.data.must_be_named import named_path
from mtlrun.data.readers.folders import folders_in, pictures_below, step_down
from mtlrun.data.readers.image_files import LazySource, Pictures, kept, sample_statistics
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import SPLITS, held_out_counts, val_and_test
from mtlrun.errors import ConfigError, DataError, near_miss
from mtlrun.options import distinct, is_number, whole

PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
"""Names of folders that are splits."""

FEWEST = 3  # pictures in a folder: one for each split
KIND = {"kind": "Classification", "classes": ["absent", "present"]}


@dataclass(frozen=True)
class FolderRows:
    """Pictures of a detector's source, and whether each shows the thing."""

    paths: list[Path]
    present: list[int]


def load(
    root: str | None = None,
    detect: Sequence[str] = ("dog", "cat", "giraffe"),
    size: int = 64,
    rows: int | None = None,
    absent: float = 1.0,
    val: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    memory_mb: float = 500,
    tasks: Sequence[str] | None = None,
) -> Splits:
    """One source and one task per detector: 0 absent, 1 present; pictures uint8 [3, size, size].

    Each folder is split once, so that no picture is in two splits; the pictures in which a detector's thing is absent
    are drawn from the other folders' part of the same split. Folders train, val and test that hold the things' folders
    are the splits; without one of the two a share of train is held out for validation, and the other is the test.

    Args:
        root: folder with one folder of pictures per kind of thing, or with train/, val/ and test/ that have them; or
            up to two levels above.
        detect: the folders that get a detector; all others serve for pictures without the thing.
        size: height and width that the pictures are stretched to.
        rows: training pictures of a detector at most; None for all.
        absent: pictures without the thing for each one with it.
        val, test: shares of each folder's pictures.
        seed: of the splits and draws.
        memory_mb: a split that takes at most so many megabytes is kept in memory.
        tasks: detectors whose folders must be there; None for all of them.

    Raises:
        ConfigError: if an option is missing or out of range.
        DataError: if there are too few folders or pictures.
    """
    whole("data.size", size, 16, 4096)
    check_shares(absent, val, test)
    most = None if rows is None else whole("data.rows", rows, 2, 10_000_000)
    generator = torch.Generator().manual_seed(seed)
    detect = distinct("data.detect", detect)
    if not detect:
        raise ConfigError("data.detect names no folder: give data.detect=[dog,cat]")
    collection = find_collection(root, detect)
    needed = [name for name in detect if tasks is None or name in tasks]
    parted = None if "train" in detect else part_folders(collection)
    parts = (
        {name: split_paths(paths, val, test, generator) for name, paths in read_folders(collection, needed).items()}
        if parted is None
        else read_parts(parted, needed, val, generator)
    )
    detect = [name for name in detect if name in parts]
    made: dict[str, list[LazySource]] = {split: [] for split in SPLITS}
    for detector in detect:
        drawn = {
            split: draw_rows(detector, {name: part[split] for name, part in parts.items()}, absent, limit, generator)
            for split, limit in zip(SPLITS, (most, None, None))
        }
        for split, source in sources(detector, drawn, size).items():
            made[split].append(source)
    counts = ", ".join(
        f"{name} {'/'.join(str(len(made[split][at])) for split in SPLITS)}" for at, name in enumerate(detect)
    )
    how = "split at random" if parted is None else f"split as its folders {', '.join(path.name for path in parted)}"
    statement = f"pictures of {collection} for train/val/test, {how} (data.seed={seed}): {counts}"
    train, held_out, tested = (kept(made[split], memory_mb) for split in SPLITS)
    return Splits(train, held_out, tested, statement, {name: dict(KIND) for name in detect})


def check_shares(absent: float, val: float, test: float) -> None:
    """Raise ConfigError for shares that leave a split, or an answer, without pictures."""
    val_and_test(val, test)
    if not is_number(absent) or absent <= 0:
        raise ConfigError(f"data.absent should be a number above 0, found {absent!r}")


def find_collection(root: str | None, detect: Sequence[str]) -> Path:
    """The folder of the things' folders, or of train, val and test: the root, or up to two levels below.

    Raises:
        ConfigError: if no root is given.
    """
    folder = named_path("image_folders", root)

    def fits(folder: Path) -> bool:
        return any((folder / part / name).is_dir() for name in detect for part in (".", *PARTS["train"]))

    return step_down(folder, fits) or folder


def read_folders(collection: Path, needed: Sequence[str]) -> dict[str, list[Path]]:
    """The pictures in each folder of the collection, by the folder's name.

    Raises:
        DataError: if a folder is missing or nearly empty, or there is only one.
    """
    found = {folder.name: pictures_below(folder) for folder in folders_in(collection)}
    folders = {name: paths for name, paths in found.items() if len(paths) >= FEWEST}
    for name in needed:
        if name not in folders:
            why = f"{len(found[name])} pictures" if name in found else f"no folder '{name}'{near_miss(name, found)}"
            raise DataError(
                f"{why} in {collection / name if name in found else collection}: "
                f"put {FEWEST} or more pictures of each thing into a folder of its name "
                f"({collection / name}/*.jpg), and pictures of other things into others; "
                "Open Images (https://storage.googleapis.com/openimages/web) has Dog, Cat and Giraffe"
            )
    if len(folders) < 2:
        raise DataError(f"{collection} holds one folder of pictures: add another with pictures of other things")
    return folders


def part_folders(collection: Path) -> list[Path] | None:
    """The folders of the training, validation and test pictures, or of two of them; None if there are none."""
    found = [[collection / name for name in names if folders_in(collection / name)] for names in PARTS.values()]
    there = [folders[0] for folders in found if folders]
    return there if found[0] and len(there) > 1 else None


def read_parts(
    parts: Sequence[Path], needed: Sequence[str], val: float, generator: torch.Generator
) -> dict[str, dict[str, list[Path]]]:
    """Per thing the pictures of each split, as the folders have them; of two folders the second is the test.

    Raises:
        DataError: if a thing has no picture in one of them, or is the only one.
    """
    train = parts[0]
    found: dict[str, dict[str, list[Path]]] = {}
    for folder in folders_in(train):
        paths = [pictures_below(part / folder.name) for part in parts]
        if len(paths) == len(SPLITS):
            found[folder.name] = dict(zip(SPLITS, paths))
        elif len(paths[0]) > 1:
            held_out = split_paths(paths[0], val, 0, generator)
            found[folder.name] = {"train": held_out["train"], "val": held_out["val"], "test": paths[1]}
    for name in needed:
        lacking = next((part for part in parts if not (part / name).is_dir() or not pictures_below(part / name)), None)
        if lacking is not None or name not in found:
            raise DataError(
                f"no pictures in {(lacking or train) / name}{near_miss(name, found)}: each of "
                f"{', '.join(part.name for part in parts)} needs a folder {name} with pictures of it"
            )
    if len(found) < 2:
        raise DataError(f"{train} holds one folder of pictures: add another with pictures of other things")
    return found


def split_paths(paths: list[Path], val: float, test: float, generator: torch.Generator) -> dict[str, list[Path]]:
    """The pictures of a folder, dealt out to the splits; each gets one at least, but none of a share of 0."""
    mixed = [paths[index] for index in torch.randperm(len(paths), generator=generator).tolist()]
    ends = held_out_counts(len(paths), val, test)
    return {"val": mixed[: ends[0]], "test": mixed[ends[0] : sum(ends)], "train": mixed[sum(ends) :]}


def draw_rows(
    detector: str, parts: dict[str, list[Path]], absent: float, most: int | None, generator: torch.Generator
) -> FolderRows:
    """A detector's rows of one split: its own pictures, then those without the thing.

    Args:
        parts: the split's pictures of each folder.
        absent: pictures without the thing for each one with it.
        most: rows at most; None for no limit.
        generator: draws the pictures without.
    """
    own = parts[detector]
    others = [path for name, paths in parts.items() if name != detector for path in paths]
    if most is not None:
        own = own[: max(1, round(most / (1 + absent)))]
    count = max(1, round(absent * len(own)))
    count = count if most is None else max(1, min(count, most - len(own)))
    chosen = torch.randperm(len(others), generator=generator)[:count].tolist()
    return FolderRows([*own, *(others[index] for index in chosen)], [1] * len(own) + [0] * len(chosen))


def sources(detector: str, drawn: dict[str, FolderRows], size: int) -> dict[str, LazySource]:
    """One source per split, normalised by the statistics of the training pictures."""
    pictures = {split: Pictures(rows.paths, (size, size)) for split, rows in drawn.items()}
    mean, std = sample_statistics(pictures["train"])
    answers: dict[str, Tensor] = {split: torch.tensor(rows.present) for split, rows in drawn.items()}
    return {
        split: LazySource(f"{detector}s", pictures[split], {detector: answers[split]}, None, mean, std)
        for split in drawn
    }
