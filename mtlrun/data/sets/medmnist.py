"""MedMNIST: medical pictures in one .npz file a set, in 28, 64, 128 or 224 pixels.

Yang et al., "MedMNIST v2" (2023), https://doi.org/10.1038/s41597-022-01721-8. ChestMNIST is ChestX-ray14 (78,468
radiographs for training, 11,219 for validation, 22,433 for the test), with a task for each of the findings; like
ChestX-ray14 it does not label fractures. Every other set of pictures is one task, classes by number, of its own name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.must_be_named import named_path
from mtlrun.data.readers.medmnist_files import SIZES, PictureForm, find_set, member, sources_of
from mtlrun.data.readers.radiograph_labels import counted
from mtlrun.data.source import Source, Splits
from mtlrun.data.split_sizes import SPLITS
from mtlrun.errors import ConfigError, DataError, choose
from mtlrun.options import distinct

CHEST = "chestmnist"
FINDINGS = (
    "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax",
    "consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia",
)  # fmt: skip
"""The columns of ChestMNIST's labels."""

CLASSES = {
    "pathmnist": 9, "dermamnist": 7, "octmnist": 4, "pneumoniamnist": 2, "retinamnist": 5, "breastmnist": 2,
    "bloodmnist": 8, "tissuemnist": 8, "organamnist": 11, "organcmnist": 11, "organsmnist": 11,
}  # fmt: skip
"""Of each other set of pictures; RetinaMNIST's are grades, in order."""

COLOURED = ("pathmnist", "dermamnist", "retinamnist", "bloodmnist")
VOLUMES = ("organmnist3d", "nodulemnist3d", "adrenalmnist3d", "fracturemnist3d", "vesselmnist3d", "synapsemnist3d")


def load(
    root: str | None = None,
    findings: Mapping[str, str] | None = None,
    size: int = 28,
    memory_mb: float = 1000,
    cache: str | None = "~/.cache/mtlrun",
    sets: Sequence[str] = (CHEST,),
    tasks: Sequence[str] | None = None,
) -> Splits:
    """A source for each set; pictures uint8 [1, size, size], or [3, size, size] if one of the sets is in colours.

    ChestMNIST has a task per finding, targets float32 [N, 1]; every other set one of its name, int64 [N]. The splits
    are the official ones.

    Args:
        root: folder of the sets' files, such as chestmnist.npz (28 pixels) or chestmnist_64.npz, or up to two levels
            above.
        findings: per task the name of its finding in FINDINGS, if chestmnist is among the sets.
        size: height and width of the pictures.
        memory_mb: a set that takes more megabytes is unpacked once into the cache and read from there.
        cache: folder for that (subfolder medmnist).
        sets: their names.
        tasks: whose files are needed; None for all of them.

    Raises:
        ConfigError: if an option is missing or out of range.
        DataError: if a file is missing or malformed.
    """
    folder, findings = named_path("medmnist", root), findings or {}
    choose(str(size), map(str, SIZES), "data.size")
    names = check_sets(sets)
    columns = {task: FINDINGS.index(choose(name, FINDINGS, f"data.findings.{task}")) for task, name in findings.items()}
    needed = [name for name in names if tasks is None or {*tasks} & ({*columns} if name == CHEST else {name})]
    channels = 3 if {*names} & {*COLOURED} else 1
    made: dict[str, list[Source]] = {split: [] for split in SPLITS}
    counts = []
    for name in needed:
        path = find_set(folder, name, size)
        targets = {split: read_targets(path, split, name, columns) for split in SPLITS}
        form = PictureForm(size, 3 if name in COLOURED else 1, channels)
        sources = sources_of(path, name, targets, form, memory_mb, cache)
        for split, source in sources.items():
            made[split].append(source)
        kind = "radiographs" if name == CHEST else "pictures"
        counts.append(f"{'/'.join(str(len(sources[split])) for split in SPLITS)} {kind} of {path.name}")
    chest = [source for source in made["train"] if source.name == CHEST]
    known = "".join(
        f"; training labels of {counted({task: source.labelled(task) for task in columns})}" for source in chest
    )
    statement = f"{', '.join(counts)} for train/val/test, the official split{known}"
    return Splits(made["train"], made["val"], made["test"], statement, inferred_kinds(needed, columns))


def check_sets(sets: Sequence[str]) -> list[str]:
    """The names of the sets.

    Raises:
        ConfigError: if there is none, or one is unknown or of volumes.
    """
    names = distinct("data.sets", sets)
    volumes = next((name for name in names if name in VOLUMES), None)
    if volumes is not None:
        raise ConfigError(
            f"data.sets: {volumes} holds volumes, which are not read: choose {', '.join([CHEST, *CLASSES])}"
        )
    if not names:
        raise ConfigError(f"data.sets is empty: name one or more, e.g. data.sets=[{CHEST}]")
    return [choose(name, (CHEST, *CLASSES), "data.sets") for name in names]


def inferred_kinds(sets: Sequence[str], findings: Mapping[str, int]) -> dict[str, dict[str, object]]:
    """The kind of every task."""
    kinds: dict[str, dict[str, object]] = {}
    for name in sets:
        if name == CHEST:
            kinds |= {task: {"kind": "MultiLabel", "labels": [task]} for task in findings}
        else:
            kinds[name] = {"kind": "Classification", "classes": CLASSES[name]}
    return kinds


def read_targets(path: Path, split: str, name: str, columns: Mapping[str, int]) -> dict[str, Tensor]:
    """ChestMNIST: per task float32 [N, 1] of 0 and 1; others: int64 [N]."""
    labels = member(path, f"{split}_labels")
    width = len(FINDINGS) if name == CHEST else 1
    if labels.ndim != 2 or labels.shape[1] != width:
        raise DataError(f"{split}_labels of {path} should be [N, {width}], found {list(labels.shape)}")
    if name == CHEST:
        return {task: torch.from_numpy(labels[:, [column]].astype(np.float32)) for task, column in columns.items()}
    return {name: torch.from_numpy(labels[:, 0].astype(np.int64))}
