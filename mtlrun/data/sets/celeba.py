"""CelebA: 202,599 aligned pictures of faces, each with 40 yes/no attributes.

Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015, arXiv:1411.7766; the files are those that
torchvision.datasets.CelebA reads, the splits the official ones (162,770/19,867/19,962). One task per attribute, at 64 x
64 pixels without normalisation, as in the code of FAMO (Liu et al., NeurIPS 2023, arXiv:2306.03792).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.readers.image_files import LazySource, Pictures, kept
from mtlrun.data.source import Source, Splits
from mtlrun.errors import ConfigError, DataError, choose
from mtlrun.options import distinct, whole

DEFAULT_ROOT = "~/.cache/mtlrun"
PICTURES, ATTRIBUTES, PARTITION = "img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"
SPLITS = ("train", "val", "test")
JUDGES = ("f1", "accuracy", "auroc")
HOME = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


def load(
    root: str | None = None,
    attributes: Sequence[str] | None = None,
    size: int = 64,
    memory_mb: float = 500,
    judge: str = "f1",
) -> Splits:
    """Source `celeba` with one task per attribute, targets float32 [N, 1]; pictures uint8 [3, size, size].

    Args:
        root: folder of the files, or the one above it; ~/.cache/mtlrun by default.
        attributes: names of those to learn; None for all 40.
        size: height and width that the pictures are stretched to.
        memory_mb: a split that takes at most so many megabytes is kept in memory.
        judge: metric that each attribute is judged by: f1, auroc, or accuracy, whose complement Sener & Koltun (2018) average.

    Raises:
        ConfigError: if an option is out of range.
        DataError: if the files are absent or malformed.
    """
    whole("data.size", size, 16, 218)
    choose(judge, JUDGES, "data.judge")
    folder = find_folder(Path(root or DEFAULT_ROOT).expanduser())
    names, files, answers = read_attributes(folder / ATTRIBUTES)
    parts = read_partition(folder / PARTITION, files)
    asked = names if attributes is None else distinct("data.attributes", attributes)
    chosen = [choose(name, names, "data.attributes") for name in asked]
    if not chosen:
        raise ConfigError("data.attributes is empty: name one or more, or null for all")
    sources: dict[str, list[Source]] = {}
    for number, split in enumerate(SPLITS):
        rows = (parts == number).nonzero().squeeze(1)
        if not len(rows):
            raise DataError(f"{folder / PARTITION} has no row of part {number} ({split}): fetch it again")
        pictures = Pictures([folder / PICTURES / files[row] for row in rows.tolist()], (size, size))
        targets = {name: answers[rows, names.index(name)].unsqueeze(1) for name in chosen}
        sources[split] = kept([LazySource("celeba", pictures, targets)], memory_mb)
    counts = "/".join(str(len(sources[split][0])) for split in SPLITS)
    statement = f"train/val/test: {counts} faces of {folder}, split as published"
    splits = Splits(sources["train"], sources["val"], sources["test"], statement)
    splits.inferred = {name: {"kind": "MultiLabel", "labels": [name], "judge": judge} for name in chosen}
    return splits


def find_folder(root: Path) -> Path:
    """The folder that holds all that is needed.

    Raises:
        DataError: if there is none; the line says what was looked for, and where to get it.
    """
    needed = (PICTURES, ATTRIBUTES, PARTITION)
    for folder in (root, root / "celeba"):
        if all((folder / name).exists() for name in needed):
            return folder
    folder = root if any((root / name).exists() for name in needed) else root / "celeba"
    missing = [name for name in needed if not (folder / name).exists()]
    raise DataError(
        f"no {', '.join(missing)} in {folder}: expected {PICTURES}/000001.jpg, ..., {ATTRIBUTES} and {PARTITION}, from "
        f"{HOME} or torchvision.datasets.CelebA('{root}', download=True)"
    )


def read_attributes(path: Path) -> tuple[list[str], list[str], Tensor]:
    """(names of the attributes [A], names of the picture files [N], answers float32 [N, A]: 1 yes, 0 no).

    The file: a line with N, a line with the names, and per picture its file and A times -1 or 1.

    Raises:
        DataError: if the file is malformed.
    """
    lines = _lines(path)
    names = lines[1].split() if len(lines) > 1 else []
    entries = [line.split() for line in lines[2:] if line.strip()]
    wrong = next((index for index, entry in enumerate(entries, 3) if len(entry) != len(names) + 1), None)
    if wrong is not None or not entries or not names:
        raise DataError(f"{path}, line {wrong or len(lines)}: expected a file and {len(names)} numbers: fetch it again")
    if lines[0].strip() != str(len(entries)):
        raise DataError(f"{path} lists {len(entries)} pictures, and should have {lines[0].strip()}: fetch it again")
    values = np.array([entry[1:] for entry in entries])
    if not np.isin(values, ("1", "-1")).all():
        raise DataError(f"{path} should hold nothing but -1 and 1 after the names of the pictures: fetch it again")
    return names, [entry[0] for entry in entries], torch.from_numpy((values == "1").astype(np.float32))


def read_partition(path: Path, files: Sequence[str]) -> Tensor:
    """Per picture its part, 0 train, 1 val, 2 test: int64 [N].

    Raises:
        DataError: if the file is malformed, or lacks a picture.
    """
    parts = {entry[0]: entry[1] for line in _lines(path) if len(entry := line.split()) == 2}
    lacking = next((name for name in files if parts.get(name) not in ("0", "1", "2")), None)
    if lacking is not None:
        raise DataError(f"{path} gives no part 0, 1 or 2 for {lacking}: fetch it again")
    return torch.tensor([int(parts[name]) for name in files])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no readable text file: fetch it again") from error
