"""Detectors from folders of pictures, one folder per kind of thing: is one of these in the picture?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.data.readers.image_files import SUFFIXES, LazySource, Pictures, kept, sample_statistics
from mtlrun.data.readers.plain_files import folder_of
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import val_and_test
from mtlrun.errors import ConfigError, DataError, near_miss
from mtlrun.options import distinct, is_number, whole

SPLITS = ("train", "val", "test")
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
) -> Splits:
    """One source and one task per detector: 0 absent, 1 present; pictures uint8 [3, size, size].

    Each folder is split once, so that no picture is in two splits; the pictures in which a detector's thing is absent
    are drawn from the other folders' part of the same split.

    Args:
        root: folder with one folder of pictures per kind of thing.
        detect: the folders that get a detector; all others serve for pictures without the thing.
        size: height and width that the pictures are stretched to.
        rows: training pictures of a detector at most; None for all.
        absent: pictures without the thing for each one with it.
        val, test: shares of each folder's pictures.
        seed: of the splits and draws.
        memory_mb: a split that takes at most so many megabytes is kept in memory.

    Raises:
        ConfigError: if an option is missing or out of range.
        DataError: if there are too few folders or pictures.
    """
    whole("data.size", size, 16, 4096)
    check_shares(absent, val, test)
    most = None if rows is None else whole("data.rows", rows, 2, 10_000_000)
    generator = torch.Generator().manual_seed(seed)
    detect = distinct("data.detect", detect)
    folders = read_folders(root, detect)
    parts = {name: split_paths(paths, val, test, generator) for name, paths in folders.items()}
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
    statement = (
        f"pictures of {Path(str(root)).expanduser()} for train/val/test, split at random (data.seed={seed}): {counts}"
    )
    train, held_out, tested = (kept(made[split], memory_mb) for split in SPLITS)
    return Splits(train, held_out, tested, statement, {name: dict(KIND) for name in detect})


def check_shares(absent: float, val: float, test: float) -> None:
    """Raise ConfigError for shares that leave a split, or an answer, without pictures."""
    val_and_test(val, test)
    if not is_number(absent) or absent <= 0:
        raise ConfigError(f"data.absent should be a number above 0, found {absent!r}")


def read_folders(root: str | None, detect: Sequence[str]) -> dict[str, list[Path]]:
    """The pictures in each folder under the root, by the folder's name.

    Raises:
        ConfigError: if no root is given, or nothing to detect.
        DataError: if a folder is missing or nearly empty, or there is only one.
    """
    if not detect:
        raise ConfigError("data.detect names no folder: give data.detect=[dog,cat]")
    collection = folder_of(root, "the folder that holds one folder of pictures for each kind of thing")
    found = {folder.name: pictures_in(folder) for folder in sorted(collection.glob("*/"))}
    folders = {name: paths for name, paths in found.items() if len(paths) >= FEWEST}
    for name in detect:
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


def pictures_in(folder: Path) -> list[Path]:
    """Picture files in a folder and those below it."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def split_paths(paths: list[Path], val: float, test: float, generator: torch.Generator) -> dict[str, list[Path]]:
    """The pictures of a folder, dealt out to the splits; each gets one at least."""
    mixed = [paths[index] for index in torch.randperm(len(paths), generator=generator).tolist()]
    ends = max(1, round(val * len(paths))), max(1, round(test * len(paths)))
    ends = (min(ends[0], len(paths) - 2), min(ends[1], len(paths) - 1 - min(ends[0], len(paths) - 2)))
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
