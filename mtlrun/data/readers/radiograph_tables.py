"""Radiographs of a published collection: where their pictures are, what is said of them, whose they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.data.readers.image_files import LazySource, Pictures, kept, sample_statistics
from mtlrun.data.readers.radiograph_labels import Reading, counted
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import SPLITS
from mtlrun.errors import ConfigError, DataError
from mtlrun.options import is_whole

CHECKED = 64
"""Picture files that are looked for at the start; the others are found missing when they are read."""


@dataclass(frozen=True)
class RadiographTable:
    """paths [N]; entries: per task float32 [N], 1, 0, -1 for uncertain, NaN for blank; patients [N]."""

    paths: list[Path]
    entries: dict[str, Tensor]
    patients: list[str]

    def take(self, chosen: Sequence[int]) -> RadiographTable:
        """The given rows."""
        rows = torch.tensor(list(chosen), dtype=torch.int64)
        return RadiographTable(
            [self.paths[row] for row in chosen],
            {task: values[rows] for task, values in self.entries.items()},
            [self.patients[row] for row in chosen],
        )

    def of(self, patients: Collection[str]) -> RadiographTable:
        """The rows of the given patients."""
        return self.take([row for row, patient in enumerate(self.patients) if patient in patients])


@dataclass(frozen=True)
class Options:
    """size: height and width of the pictures; reading: of entries that are neither 0 nor 1; memory_mb: collections
    that take at most so much are decoded once and kept in memory, others are read from the files as they are used."""

    size: int
    reading: Reading
    memory_mb: float

    def __post_init__(self) -> None:
        if not is_whole(self.size) or not 16 <= self.size <= 4096:
            raise ConfigError(f"data.size should be a whole number of pixels from 16 to 4096, found {self.size!r}")


def split_patients(patients: Sequence[str], shares: Sequence[float], seed: int) -> list[set[str]]:
    """Disjoint sets of patients: one with each share of them, then one with the rest."""
    names = sorted(set(patients))
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
    sets, start = [], 0
    for part in shares:
        count = max(1, round(part * len(names)))
        sets.append({names[index] for index in order[start : start + count]})
        start += count
    return [*sets, {names[index] for index in order[start:]}]


def splits_of(name: str, tables: dict[str, RadiographTable], options: Options, how: str) -> Splits:
    """One source per split; the training rows' statistics normalise all.

    Args:
        name: of the collection and the sources.
        tables: by train, val and test.
        options: for pictures and labels.
        how: the splits were made, for the statement.

    Raises:
        DataError: if a split has no row, or a picture is missing.
    """
    for split, table in tables.items():
        check_pictures(name, split, table.paths)
    pictures = {split: Pictures(table.paths, (options.size,) * 2, channels=1) for split, table in tables.items()}
    mean, std = sample_statistics(pictures["train"])
    made = {}
    for split, table in tables.items():
        targets, labelled = options.reading.all_answers(table.entries, training=split == "train")
        made[split] = LazySource(name, pictures[split], targets, labelled, mean, std)
    sizes = "/".join(str(len(source)) for source in made.values())
    known = counted({task: made["train"].labelled(task) for task in made["train"].tasks})
    train, val, test = (kept([made[split]], options.memory_mb) for split in SPLITS)
    return Splits(
        train,
        val,
        test,
        f"{sizes} radiographs of {name} for train/val/test, {how}; training labels of {known}",
    )


def check_pictures(name: str, split: str, paths: Sequence[Path]) -> None:
    """Raise DataError for a split without rows, or with a missing picture among those that are looked for."""
    if not paths:
        raise DataError(f"{name}: no row is left for {split}")
    for index in range(0, len(paths), max(1, len(paths) // CHECKED)):
        if not paths[index].is_file():
            raise DataError(f"{name} lists {paths[index]}, which is not there: unpack all of its archives")
