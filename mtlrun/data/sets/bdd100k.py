"""BDD100K: road scenes in files for detection, lane markings and drivable area; GTSRB beside it for signs.

Yu et al., "BDD100K: A Diverse Driving Dataset for Heterogeneous Multitask Learning" (2020),
https://arxiv.org/abs/1805.04687: 70,000 training and 10,000 validation pictures of 1280 x 720 pixels. The labels of the
official test are not public, so the official validation pictures are the test, and a share of the training pictures
is held out. Classes and masks are brought to those of the drawn scenes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image

from mtlrun.data.readers.bdd100k_labels import Boxes, Part, classes_of, drivable_masks, lane_masks, read_part
from mtlrun.data.readers.bdd100k_words import Census
from mtlrun.data.readers.gtsrb import CLASSES, sign_sources
from mtlrun.data.readers.image_files import (
    UNREADABLE,
    LazySource,
    Pictures,
    Size,
    kept,
    sample_statistics,
    unreadable,
)
from mtlrun.data.readers.plain_files import folder_of
from mtlrun.data.source import Splits
from mtlrun.errors import DataError, choose
from mtlrun.options import share, whole

SPLITS = ("train", "val", "test")
NEEDED = (
    "images/100k/{}", "labels/det_20/det_{}.json", "labels/drivable/masks/{}", "labels/lane/masks/{}",
)  # fmt: skip
"""Files and folders of each official part."""

HOME = "http://bdd-data.berkeley.edu"


def load(
    root: str | None = None,
    detect: Mapping[str, Sequence[str]] | None = None,
    height: int = 288,
    width: int = 512,
    smallest: float = 3.0,
    max_boxes: int = 100,
    curbs: bool = False,
    signs: str = "driving",
    signs_root: str | None = None,
    sign_size: int = 32,
    val: float = 0.05,
    seed: int = 0,
    memory_mb: float = 500,
) -> Splits:
    """Sources `scenes` (tasks detection, lane, drivable) and `signs` (task sign).

    Args:
        root: folder with images/100k, labels/det_20, labels/drivable/masks and labels/lane/masks.
        detect: per class of ours, in the order of the task's classes, the categories of BDD100K that it is made of.
        height, width: that the scenes are brought to, in pixels.
        smallest: boxes with a side below so many of these pixels are left out.
        max_boxes: boxes of a scene at most: as many predictions count in the score.
        curbs: whether road curbs count as lane markings.
        signs: 'driving' for the eight classes of the drawn signs, 'all' for the 43 of GTSRB, 'none' for no signs.
        signs_root: folder of GTSRB; None for `root`.
        sign_size: height and width that sign crops are brought to, in pixels.
        val: share of the official training pictures, and of GTSRB's tracks, for validation.
        seed: of the choice of these.
        memory_mb: a split that takes at most so many megabytes is kept in memory.

    Raises:
        ConfigError: if an option is missing or out of range.
        DataError: if files are missing or malformed, or a scene holds more boxes.
    """
    folder = folder_of(root, "the folder of BDD100K")
    size = whole("data.height", height, 32, 4096), whole("data.width", width, 32, 4096)
    share("data.val", val, empty=False), choose(signs, (*CLASSES, "none"), "data.signs")
    census = Census(classes_of(detect or {}))
    check_files(folder)
    parts = split_parts(folder, census, val, seed)
    census.check(detect or {})
    most = whole("data.max_boxes", max_boxes, 1)
    made = scene_sources(parts, size, smallest, most, curbs)
    names = "BDD100K"
    if signs != "none":
        folder = Path(signs_root).expanduser() if signs_root else folder
        crops = sign_sources(folder, whole("data.sign_size", sign_size, 16, 512), signs, val, seed)
        made = {split: [*sources, crops[split]] for split, sources in made.items()}
        names = "BDD100K and of GTSRB"
    counts = " and ".join("/".join(str(len(made[split][at])) for split in SPLITS) for at in range(len(made["test"])))
    train, held_out, test = (kept(made[split], memory_mb) for split in SPLITS)
    return Splits(
        train,
        held_out,
        test,
        f"{counts} pictures of {names} for train/val/test: validation is a share of {val:g} of the official "
        f"training pictures (data.seed={seed}), the test is the official validation set of BDD100K{census.statement}",
    )


def check_files(root: Path) -> None:
    """Raise DataError, with all that is needed, if something is not there."""
    missing = [
        name.format(part) for part in ("train", "val") for name in NEEDED if not (root / name.format(part)).exists()
    ]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(
            f"no {missing[0]}{more} in {root}: BDD100K is images/100k/{{train,val}}/*.jpg (100K Images), "
            "labels/det_20/det_{train,val}.json (Detection 2020 Labels), labels/drivable/masks/{train,val}/*.png "
            f"(Drivable Area) and labels/lane/masks/{{train,val}}/*.png (Lane Marking), from {HOME}"
        )


def split_parts(root: Path, census: Census, val: float, seed: int) -> dict[str, Part]:
    """Training and validation rows from the official training part, test rows from the official validation part."""
    official = read_part(root, "train", census)
    count = len(official.pictures)
    held_out = max(1, round(val * count))
    if count <= held_out:
        raise DataError(f"{root / 'images/100k/train'} holds {count} pictures: too few to train on")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    parts = official.take(sorted(order[held_out:])), official.take(sorted(order[:held_out]))
    return dict(zip(SPLITS, (*parts, read_part(root, "val", census))))


def scene_sources(
    parts: Mapping[str, Part], size: Size, smallest: float, max_boxes: int, curbs: bool
) -> dict[str, list[LazySource]]:
    """Source `scenes` of each split, normalised by the statistics of the training pictures."""
    pictures = {split: Pictures(part.pictures, size) for split, part in parts.items()}
    mean, std = sample_statistics(pictures["train"])
    made = {}
    for split, part in parts.items():
        targets = {
            "detection": counted(Boxes(part.boxes, size_of(part.pictures[0]), size, smallest), max_boxes),
            "lane": lane_masks(part.lanes, size, curbs),
            "drivable": drivable_masks(part.drivable, size),
        }
        labelled = {
            "detection": torch.tensor([boxes is not None for boxes in part.boxes]),
            "lane": torch.tensor([path is not None for path in part.lanes]),
            "drivable": torch.tensor([path is not None for path in part.drivable]),
        }
        made[split] = [LazySource("scenes", pictures[split], targets, labelled, mean, std)]
    return made


def counted(boxes: Boxes, max_boxes: int) -> Boxes:
    """The boxes; DataError if a scene holds more than so many: no detector could then find them all."""
    most = boxes.shape[0]
    if most > max_boxes:
        raise DataError(f"a scene holds {most} boxes, more than data.max_boxes={max_boxes}: set data.max_boxes={most}")
    return boxes


def size_of(path: Path) -> Size:
    """Height and width of a picture, without decoding it; all of BDD100K's are alike."""
    try:
        with Image.open(path) as file:
            return file.height, file.width
    except UNREADABLE as error:
        raise unreadable(str(path), error) from error
