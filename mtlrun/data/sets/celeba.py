"""CelebA: 202,599 aligned pictures of faces, each with 40 yes/no attributes.

Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015, arXiv:1411.7766; the files are those that
torchvision.datasets.CelebA reads, the splits the official ones (162,770/19,867/19,962). One task per attribute, at 64 x
64 pixels without normalisation, as in the code of FAMO (Liu et al., NeurIPS 2023, arXiv:2306.03792).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtlrun.data.readers.celeba_files import check_first, find_faces, read_attributes, read_partition
from mtlrun.data.readers.image_files import LazySource, Pictures, kept
from mtlrun.data.source import Source, Splits
from mtlrun.data.split_sizes import SPLITS
from mtlrun.errors import ConfigError, DataError, choose
from mtlrun.options import distinct, whole

DEFAULT_ROOT = "~/.cache/mtlrun"
JUDGES = ("f1", "accuracy", "auroc")


def load(
    root: str | None = None,
    attributes: Sequence[str] | None = None,
    size: int = 64,
    memory_mb: float = 500,
    judge: str = "f1",
) -> Splits:
    """Source `celeba` with one task per attribute, targets float32 [N, 1]; pictures uint8 [3, size, size].

    Args:
        root: folder of the files in one of the layouts of `find_faces`, or up to two levels above; ~/.cache/mtlrun by
            default.
        attributes: names of those to learn; None for all 40.
        size: height and width that the pictures are stretched to.
        memory_mb: a split that takes at most so many megabytes is kept in memory.
        judge: metric that each attribute is judged by: f1, auroc, or accuracy, whose complement is the error that
            Sener & Koltun (2018) average.

    Raises:
        ConfigError: if an option is out of range.
        DataError: if the files are absent or malformed.
    """
    whole("data.size", size, 16, 218)
    choose(judge, JUDGES, "data.judge")
    faces = find_faces(Path(root or DEFAULT_ROOT).expanduser())
    names, files, answers = read_attributes(faces.attributes)
    parts = read_partition(faces.partition, files)
    check_first(faces.pictures, files[0])
    asked = names if attributes is None else distinct("data.attributes", attributes)
    chosen = [choose(name, names, "data.attributes") for name in asked]
    if not chosen:
        raise ConfigError("data.attributes is empty: name one or more, or null for all")
    sources: dict[str, list[Source]] = {}
    for number, split in enumerate(SPLITS):
        rows = (parts == number).nonzero().squeeze(1)
        if not len(rows):
            raise DataError(f"{faces.partition} has no row of part {number} ({split}): fetch it again")
        pictures = Pictures([faces.pictures / files[row] for row in rows.tolist()], (size, size))
        targets = {name: answers[rows, names.index(name)].unsqueeze(1) for name in chosen}
        sources[split] = kept([LazySource("celeba", pictures, targets)], memory_mb)
    counts = "/".join(str(len(sources[split][0])) for split in SPLITS)
    statement = f"train/val/test: {counts} faces of {faces.pictures.parent}, split as published"
    splits = Splits(sources["train"], sources["val"], sources["test"], statement)
    splits.inferred = {name: {"kind": "MultiLabel", "labels": [name], "judge": judge} for name in chosen}
    return splits
