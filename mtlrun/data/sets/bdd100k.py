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
from torch import Tensor

from mtlrun.data.must_be_named import named_path
from mtlrun.data.pictures.sizes import size_of_picture
from mtlrun.data.readers.bdd100k_labels import Part, classes_of, drivable_masks, lane_masks, read_part
from mtlrun.data.readers.bdd100k_places import SCENE_TASKS, BDD100KPlaces, find_places
from mtlrun.data.readers.bdd100k_words import Census
from mtlrun.data.readers.box_rows import Boxes
from mtlrun.data.readers.gtsrb import CLASSES, sign_sources
from mtlrun.data.readers.image_files import (
    LazySource,
    PictureRows,
    Pictures,
    Size,
    kept,
    sample_statistics,
)
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import SPLITS
from mtlrun.errors import DataError, choose
from mtlrun.options import share, whole

TASKS = (*SCENE_TASKS, "sign")


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
    tasks: Sequence[str] | None = None,
) -> Splits:
    """Sources `scenes` (tasks detection, lane, drivable) and `signs` (task sign).

    Args:
        root: folder with images/100k, labels/det_20, labels/drivable/masks and labels/lane/masks, or their names of
            2018; or up to two levels above.
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
        tasks: whose files are needed; None for all of them.

    Raises:
        ConfigError: if an option is missing or out of range.
        DataError: if files are missing or malformed, or a scene holds more boxes.
    """
    folder = named_path("bdd100k", root)
    size = whole("data.height", height, 32, 4096), whole("data.width", width, 32, 4096)
    share("data.val", val, empty=False), choose(signs, (*CLASSES, "none"), "data.signs")
    most = whole("data.max_boxes", max_boxes, 1)
    sign_size = whole("data.sign_size", sign_size, 16, 512)
    census = Census(classes_of(detect or {}))
    asked = [task for task in TASKS if tasks is None or task in tasks]
    made: dict[str, list[LazySource]] = {split: [] for split in SPLITS}
    scenes = [task for task in SCENE_TASKS if task in asked]
    if scenes:
        places = find_places(folder, scenes)
        parts = split_parts(places, census, val, seed)
        if "detection" in scenes:
            census.check(detect or {})
        made = scene_sources(parts, places, size, smallest, most, curbs)
    if signs != "none" and "sign" in asked:
        crops = sign_sources(Path(signs_root).expanduser() if signs_root else folder, sign_size, signs, val, seed)
        made = {split: [*sources, crops[split]] for split, sources in made.items()}
    names = " and of ".join({"scenes": "BDD100K", "signs": "GTSRB"}[source.name] for source in made["test"])
    counts = " and ".join("/".join(str(len(made[split][at])) for split in SPLITS) for at in range(len(made["test"])))
    train, held_out, test = (kept(made[split], memory_mb) for split in SPLITS)
    tested = "validation set of BDD100K" if scenes else "test set of GTSRB"
    return Splits(
        train,
        held_out,
        test,
        f"{counts} pictures of {names} for train/val/test: validation is a share of {val:g} of the official "
        f"training pictures (data.seed={seed}), the test is the official {tested}{census.statement}",
    )


def split_parts(places: BDD100KPlaces, census: Census, val: float, seed: int) -> dict[str, Part]:
    """Training and validation rows from the official training part, test rows from the official validation part."""
    official = read_part(places, "train", census)
    count = len(official.pictures)
    held_out = max(1, round(val * count))
    if count <= held_out:
        raise DataError(f"{places.pictures['train']} holds {count} pictures: too few to train on")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    parts = official.take(sorted(order[held_out:])), official.take(sorted(order[:held_out]))
    return dict(zip(SPLITS, (*parts, read_part(places, "val", census))))


def scene_sources(
    parts: Mapping[str, Part], places: BDD100KPlaces, size: Size, smallest: float, max_boxes: int, curbs: bool
) -> dict[str, list[LazySource]]:
    """Source `scenes` of each split, normalised by the statistics of the training pictures."""
    pictures = {split: Pictures(part.pictures, size) for split, part in parts.items()}
    mean, std = sample_statistics(pictures["train"])
    made = {}
    for split, part in parts.items():
        targets: dict[str, Tensor | PictureRows] = {}
        labelled: dict[str, Sequence[object]] = {}
        if places.detection:
            boxes = Boxes(part.boxes, size_of_picture(part.pictures[0]), size, smallest)
            targets["detection"], labelled["detection"] = counted(boxes, max_boxes), part.boxes
        if places.lane:
            targets["lane"], labelled["lane"] = lane_masks(part.lanes, size, curbs), part.lanes
        if places.drivable:
            masks = drivable_masks(part.drivable, size, places.maps_of_2018)
            targets["drivable"], labelled["drivable"] = masks, part.drivable
        there = {task: torch.tensor([entry is not None for entry in entries]) for task, entries in labelled.items()}
        made[split] = [LazySource("scenes", pictures[split], targets, there, mean, std)]
    return made


def counted(boxes: Boxes, max_boxes: int) -> Boxes:
    """The boxes; DataError if a scene holds more than so many: no detector could then find them all."""
    if boxes.most > max_boxes:
        raise DataError(
            f"a scene holds {boxes.most} boxes, more than data.max_boxes={max_boxes}: set data.max_boxes={boxes.most}"
        )
    return boxes
