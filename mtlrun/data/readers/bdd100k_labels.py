"""The labels of BDD100K: boxes in JSON files, lane markings and drivable area in masks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtlrun.data.readers.bdd100k_places import HOME, BDD100KPlaces
from mtlrun.data.readers.bdd100k_words import CATEGORIES, OLDER, Census
from mtlrun.data.readers.box_rows import Box
from mtlrun.data.readers.class_masks import ClassMasks, classes_of_values
from mtlrun.data.readers.image_files import Size
from mtlrun.errors import ConfigError, DataError, choose
from mtlrun.options import distinct

DRIVABLE = np.full(256, 255, dtype=np.uint8)
DRIVABLE[:3] = (1, 2, 0)
"""Files: 0 direct, 1 alternative, 2 background. Ours: 0 background, 1 own lane, 2 other lanes, 255 ignored."""

LANE_BACKGROUND, LANE_CATEGORY, CURB = 0b1000, 0b0111, 4
"""A byte of a lane mask holds a flag for background above three bits of category; category 4 is the curb."""

DRIVABLE_2018 = np.full(256, 255, dtype=np.uint8)
DRIVABLE_2018[:3] = (0, 1, 2)
"""Files of 2018: 0 background, 1 direct, 2 alternative."""


@dataclass(frozen=True)
class Part:
    """An official part: the pictures, the boxes of each (None: not labelled), its masks (None: there is none).

    What no task needs has None for every picture.
    """

    pictures: list[Path]
    boxes: list[list[Box] | None]
    drivable: list[Path | None]
    lanes: list[Path | None]

    def take(self, rows: Sequence[int]) -> Part:
        """The given rows."""
        return Part(
            [self.pictures[row] for row in rows],
            [self.boxes[row] for row in rows],
            [self.drivable[row] for row in rows],
            [self.lanes[row] for row in rows],
        )


def read_part(places: BDD100KPlaces, part: str, census: Census) -> Part:
    """The pictures of a part that are there, with their labels.

    Args:
        places: of the files.
        part: 'train' or 'val'.
        census: of the categories; boxes are counted in it.

    Raises:
        DataError: if no picture is there, or the boxes are malformed.
    """
    folder = places.pictures[part]
    pictures = sorted(folder.glob("*.jpg"))
    if not pictures:
        raise DataError(f"no *.jpg in {folder}: unpack the archive of the pictures again, from {HOME}")
    suffix = "_drivable_id.png" if places.maps_of_2018 else ".png"
    return Part(
        pictures,
        _labelled(pictures, places.detection[part], census) if places.detection else [None] * len(pictures),
        _masks(pictures, places.drivable[part], suffix) if places.drivable else [None] * len(pictures),
        _masks(pictures, places.lane[part], ".png") if places.lane else [None] * len(pictures),
    )


def _labelled(pictures: list[Path], path: Path, census: Census) -> list[list[Box] | None]:
    """The boxes of each picture; None if the file does not name it."""
    boxes = read_boxes(path, census)
    if not any(picture.name in boxes for picture in pictures):
        raise DataError(f"{path.name} names none of the {len(pictures)} pictures in {pictures[0].parent}")
    return [boxes.get(picture.name) for picture in pictures]


def _masks(pictures: list[Path], folder: Path, suffix: str) -> list[Path | None]:
    there = {path.name for path in folder.glob("*.png")}
    found = [folder / f"{path.stem}{suffix}" if f"{path.stem}{suffix}" in there else None for path in pictures]
    if not any(found):
        raise DataError(f"no mask in {folder} belongs to a picture: expected {pictures[0].stem}{suffix}")
    return found


def read_boxes(path: Path, census: Census) -> dict[str, list[Box]]:
    """The boxes of each picture by its name, of the categories that have a class; all are counted.

    Raises:
        DataError: if the file is not a list of frames, has two of one picture, or an unknown category.
    """
    try:
        with open(path, encoding="utf-8") as file:
            frames = json.load(file)
        boxes = {frame["name"]: _boxes_of(frame, census) for frame in frames}
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{path} should be a list of frames with name and labels (category, box2d: x1, y1, x2, y2): "
            f"{type(error).__name__} {error}; fetch it again"
        ) from error
    if len(boxes) < len(frames):
        twice = Counter(frame["name"] for frame in frames).most_common(1)[0][0]
        raise DataError(f"{path} names picture {twice} twice: fetch it again")
    return boxes


def _boxes_of(frame: Mapping[str, Any], census: Census) -> list[Box]:
    """Boxes alone: lanes and drivable area, which the files of 2018 hold too, have none."""
    labels = [(str(label["category"]), label) for label in frame.get("labels") or ()]
    found = [
        (census.class_of(category, _is_ignored(label)), box)
        for category, label in labels
        if (box := label.get("box2d"))
    ]
    return [
        (index, *(float(box[edge]) for edge in ("x1", "y1", "x2", "y2")))  # type: ignore[misc]
        for index, box in found
        if index is not None
    ]


def _is_ignored(label: Mapping[str, Any]) -> bool:
    """Whether the label says of itself that it is a crowd, or ignored."""
    attributes = label.get("attributes") or {}
    return bool(attributes.get("crowd") or attributes.get("ignored"))


def classes_of(detect: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The class of each category, from the categories that each class of ours is made of, in order.

    Raises:
        ConfigError: if there is none, a category is unknown, or is in two classes.
    """
    classes: dict[str, int] = {}
    for index, (name, categories) in enumerate(detect.items()):
        for word in distinct(f"data.detect.{name}", categories):
            category = OLDER.get(word, word)
            choose(category, CATEGORIES, f"category in data.detect.{name}")
            if category in classes:
                raise ConfigError(f"data.detect: category '{category}' is in two classes: name it once")
            classes[category] = index
    if not classes:
        raise ConfigError("data.detect names no category: give data.detect={car: [car], pedestrian: [pedestrian]}")
    return classes


def drivable_masks(paths: Sequence[Path | None], size: Size, of_2018: bool = False) -> ClassMasks:
    """uint8 [H, W]: 0 background, 1 own lane, 2 other lanes."""
    return ClassMasks(paths, size, classes_of_values(DRIVABLE_2018 if of_2018 else DRIVABLE))


def lane_masks(paths: Sequence[Path | None], size: Size, curbs: bool) -> ClassMasks:
    """uint8 [H, W]: 0 background, 1 marking; curbs count as markings if asked for."""
    values = np.arange(256)
    marking = (values & LANE_BACKGROUND) == 0
    if not curbs:
        marking &= (values & LANE_CATEGORY) != CURB
    return ClassMasks(paths, size, classes_of_values(marking.astype(np.uint8)))
