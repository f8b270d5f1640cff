"""Boxes in the JSON of COCO: lists of images, annotations and categories (https://cocodataset.org/#format-data)."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from mtlrun.data.readers.box_rows import Box, BoxLabels
from mtlrun.errors import DataError
from mtlrun.lines import reason, shortened
from mtlrun.options import is_number
from mtlrun.types import region_of

FORM = "images (id, file_name, width, height), annotations (image_id, category_id, bbox: x, y, w, h) and categories"


def read_coco(path: Path) -> BoxLabels:
    """The boxes of the images that the file names; crowds are regions that are ignored.

    Raises:
        DataError: if it is no such file, names an image or a category twice, or an annotation fits none of them.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(path))
        return _labels(path, coco)
    except DataError:
        raise
    except (OSError, ValueError, AssertionError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {reason(error)}"
        raise DataError(f"{path} should hold {FORM}, as COCO's files do ({why})") from error


def _labels(path: Path, coco: Any) -> BoxLabels:
    if not coco.imgs or not coco.cats:
        lacking = "images" if not coco.imgs else "categories"
        raise DataError(f"{path} names no {lacking}: it should hold {FORM}")
    files = [str(image["file_name"]) for image in coco.dataset["images"]]
    _check_once(path, "image", files)
    _check_once(path, "image id", [str(image["id"]) for image in coco.dataset["images"]])
    categories = [coco.cats[number] for number in sorted(coco.cats)]
    names = [str(category["name"]) for category in categories]
    _check_once(path, "category", names)
    numbers = {category["id"]: place for place, category in enumerate(categories)}
    unknown = next((image for image in coco.imgToAnns if image not in coco.imgs), None)
    if unknown is not None:
        raise DataError(f"{path}: annotations have image_id {unknown}, which none of its images has")
    listed = shortened([f"{category['id']} {category['name']}" for category in categories])
    boxes = {
        str(image["file_name"]): [_box(path, annotation, numbers, listed) for annotation in coco.imgToAnns[number]]
        for number, image in coco.imgs.items()
    }
    sizes = {
        str(image["file_name"]): (int(image["height"]), int(image["width"]))
        for image in coco.imgs.values()
        if image.get("height") and image.get("width")
    }
    crowds = sum(box[0] < 0 for found in boxes.values() for box in found)
    how = "classes are its categories" + (f", {crowds} crowds are ignored regions" if crowds else "")
    return BoxLabels(names, boxes, sizes, how=how)


def _check_once(path: Path, what: str, names: list[str]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{path} has {what} '{twice}' twice")


def _box(path: Path, annotation: Mapping[str, Any], numbers: Mapping[Any, int], listed: str) -> Box:
    number, category, corner = (annotation.get(key) for key in ("id", "category_id", "bbox"))
    if category not in numbers:
        raise DataError(f"{path}: annotation {number} has category_id {category}, which no category has ({listed})")
    if not isinstance(corner, list) or len(corner) != 4 or not all(map(is_number, corner)):
        raise DataError(f"{path}: annotation {number} has no bbox of four numbers x, y, w, h")
    left, top, width, height = map(float, corner)
    kind = numbers[category]
    return (region_of(kind) if annotation.get("iscrowd") else kind, left, top, left + width, top + height)
