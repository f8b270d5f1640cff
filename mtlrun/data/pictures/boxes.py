"""Boxes of a user's pictures: the format by what is there, and every box within its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtlrun.data.pictures.names import PictureNames
from mtlrun.data.pictures.sizes import in_words
from mtlrun.data.readers.box_rows import Box, BoxLabels
from mtlrun.data.readers.coco_boxes import read_coco
from mtlrun.data.readers.folders import files_below
from mtlrun.data.readers.image_files import Size
from mtlrun.data.readers.voc_boxes import read_voc
from mtlrun.data.readers.yolo_boxes import OTHERS, read_yolo
from mtlrun.errors import DataError

TOLERANCE = 1.0
"""Pixels by which a box may reach over the edge, since files round: it is cut there."""


@dataclass(frozen=True)
class PictureBoxes:
    """Boxes by the pictures' places, in pixels of the files; [] where nothing is."""

    classes: list[str]
    boxes: Mapping[int, list[Box]]
    how: str


def read_boxes_of(path: Path) -> tuple[BoxLabels, str]:
    """The labels in a JSON file of COCO, or a folder of YOLO's text files or VOC's XML, and the format's name.

    Raises:
        DataError: if it is neither, or malformed.
    """
    if path.is_file():
        if path.suffix.lower() != ".json":
            raise DataError(f"data.boxes={path}: a file of boxes is COCO's JSON; YOLO and VOC have a folder of files")
        return read_coco(path), "COCO"
    xml = files_below(path, lambda file: file.suffix.lower() == ".xml")
    txt = files_below(path, lambda file: file.suffix.lower() == ".txt" and file.name not in OTHERS)
    if xml and txt:
        raise DataError(
            f"data.boxes={path} holds {xml[0].name} of VOC and {txt[0].name} of YOLO: name the folder of one"
        )
    if not xml and not txt:
        raise DataError(f"data.boxes={path} holds no *.txt of YOLO and no *.xml of VOC (COCO: name its .json file)")
    return (read_voc(path), "VOC") if xml else (read_yolo(path), "YOLO")


def boxes_of_pictures(path: Path, pictures: PictureNames, sizes: Sequence[Size]) -> PictureBoxes:
    """The boxes of each picture that the files name.

    Args:
        path: of the file or folder.
        pictures: that may be named.
        sizes: of all pictures, by their places.

    Raises:
        DataError: if the files name a picture that is not there, state another size of one, or a box is not in it.
    """
    labels, form = read_boxes_of(path)
    places = pictures.places([*labels.boxes], str(path), "picture" if form == "COCO" else "file")
    found = {}
    for name, place in places.items():
        stated, size = labels.sizes.get(name), sizes[place]
        if stated is not None and stated != size:
            raise DataError(
                f"{path} says that '{name}' is {in_words(stated)} (height x width), and the picture is {in_words(size)}"
                f"{_turned(stated, size)}"
            )
        scale = (size[1], size[0], size[1], size[0]) if labels.relative else (1, 1, 1, 1)
        boxes = [_scaled(box, scale) for box in labels.boxes[name]]
        for number, box in enumerate(boxes, 1):
            _check_box(f"{path}: box {number} of '{name}'", box, size)
        found[place] = boxes
    count = sum(map(len, found.values()))
    how = f"{count} boxes in {len(found)} pictures, {form} of {path}: {labels.how}"
    return PictureBoxes(labels.classes, found, how)


def _turned(stated: Size, size: Size) -> str:
    return ", as its EXIF tag turns it: save it upright" if stated == size[::-1] else ""


def _scaled(box: Box, scale: tuple[int, int, int, int]) -> Box:
    kind, left, top, right, bottom = box
    return (kind, left * scale[0], top * scale[1], right * scale[2], bottom * scale[3])


def _check_box(which: str, box: Box, size: Size) -> None:
    _, left, top, right, bottom = box
    edges = f"({left:g} {top:g} {right:g} {bottom:g})"
    height, width = size
    inside = left >= -TOLERANCE and top >= -TOLERANCE and right <= width + TOLERANCE and bottom <= height + TOLERANCE
    if not inside:
        raise DataError(f"{which} {edges} is not within the picture of {in_words(size)} (height x width)")
    if right < left or bottom < top:
        raise DataError(f"{which} {edges} ends before it begins: left, top, right, bottom")
