"""Boxes in the XML files of Pascal VOC, one for each picture (Everingham et al., IJCV 2010)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from torchvision.datasets import VOCDetection

from mtlrun.data.readers.box_rows import Box, BoxLabels
from mtlrun.data.readers.image_files import Size
from mtlrun.data.readers.label_files import label_files
from mtlrun.errors import DataError
from mtlrun.lines import reason
from mtlrun.types import region_of

EDGES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(folder: Path) -> BoxLabels:
    """The objects in the files of a folder; those that are difficult are regions that are ignored, as in VOC's scores.

    VOC counts pixels from 1, and a box ends with its last pixel: xmin - 1 to xmax here. Classes are the names that
    occur, in the order of the alphabet.

    Raises:
        DataError: if there are no files, or one of them has another form.
    """
    notes = {name: _annotation(path) for name, path in label_files(folder, ".xml").items()}
    classes = sorted({str(entry["name"]) for note in notes.values() for entry in note["object"]})
    if not classes:
        raise DataError(f"the {len(notes)} XML files in {folder} name no object")
    numbers = {name: number for number, name in enumerate(classes)}
    boxes = {name: [_box(entry, numbers) for entry in note["object"]] for name, note in notes.items()}
    sizes = {name: size for name, note in notes.items() if (size := _size(note)) is not None}
    ignored = sum(box[0] < 0 for found in boxes.values() for box in found)
    how = "classes are the names of the objects"
    return BoxLabels(classes, boxes, sizes, how=how + (f", {ignored} difficult ones are ignored" if ignored else ""))


def _annotation(path: Path) -> Mapping[str, Any]:
    """A file's content, in which each object has a name and four edges that are numbers."""
    try:
        note: Mapping[str, Any] = VOCDetection.parse_voc_xml(ElementTree.parse(path).getroot())["annotation"]
        for entry in note["object"]:
            entry["name"], [float(entry["bndbox"][edge]) for edge in EDGES]
        _size(note)
    except (OSError, ElementTree.ParseError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path} should be an annotation with objects of a name and a bndbox ({', '.join(EDGES)}), as VOC's files "
            f"are ({type(error).__name__}: {reason(error)})"
        ) from error
    return note


def _box(entry: Mapping[str, Any], numbers: Mapping[str, int]) -> Box:
    left, top, right, bottom = (float(entry["bndbox"][edge]) for edge in EDGES)
    kind = numbers[str(entry["name"])]
    difficult = str(entry.get("difficult", "0")).strip() == "1"
    return (region_of(kind) if difficult else kind, left - 1, top - 1, right, bottom)


def _size(note: Mapping[str, Any]) -> Size | None:
    """What the file says of the picture; files of some programs say 0."""
    stated = note.get("size") or {}
    height, width = (int(float(stated.get(side, 0))) for side in ("height", "width"))
    return (height, width) if height and width else None
