"""Boxes in YOLO's text files, one for each picture: lines of class, centre x, centre y, width and height.

Edges are shares of the picture's width and height. The classes' names are in a file beside the labels, or up to two
folders above: data.yaml, classes.txt or obj.names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mtlrun.data.readers.box_rows import Box, BoxLabels
from mtlrun.data.readers.label_files import label_files
from mtlrun.data.readers.plain_files import read_text
from mtlrun.errors import DataError
from mtlrun.lines import shortened
from mtlrun.runs.yamlfile import parse_yaml

LISTS = ("classes.txt", "obj.names")
SETTINGS = ("data.yaml", "data.yml", "dataset.yaml")
OTHERS = ("classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt")
"""Text files beside the labels that are none: names of classes, lists of pictures."""
LEVELS = 3
FIELDS = 5


def read_yolo(folder: Path) -> BoxLabels:
    """The boxes in the files of a folder; an empty file says that nothing is in the picture.

    Raises:
        DataError: if there are no files, or a line is no box of a known class.
    """
    files = label_files(folder, ".txt", OTHERS)
    names, source = class_names(folder)
    boxes = {name: _boxes(path, names) for name, path in files.items()}
    numbers = {box[0] for found in boxes.values() for box in found}
    if not numbers:
        raise DataError(f"the {len(files)} text files in {folder} hold no box")
    classes = names or [str(number) for number in range(max(numbers) + 1)]
    how = f"class names of {source}" if names else "no data.yaml or classes.txt names the classes"
    return BoxLabels(classes, boxes, relative=True, how=how)


def class_names(folder: Path) -> tuple[list[str], str]:
    """The names of the classes and the file that has them; none if there is no such file.

    Raises:
        DataError: if it has another form.
    """
    for level in [folder.absolute(), *folder.absolute().parents][:LEVELS]:
        for name in (*SETTINGS, *LISTS):
            path = level / name
            if path.is_file():
                path = path if folder.is_absolute() else Path(os.path.relpath(path))  # as the user names the folder
                found = _listed(path) if name in LISTS else _of_settings(path)
                if found:
                    return found, str(path)
    return [], ""


def _listed(path: Path) -> list[str]:
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def _of_settings(path: Path) -> list[str]:
    """`names` of a data.yaml: a list, or a mapping from numbers; none if it has no such entry."""
    content: Any = parse_yaml(read_text(path))
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict):
        if sorted(names) != [*range(len(names))]:
            raise DataError(f"{path}: names should be numbered from 0 on, found {shortened([*map(str, names)])}")
        names = [names[number] for number in range(len(names))]
    if names is not None and not isinstance(names, list):
        raise DataError(f"{path}: names should be a list, or a mapping from numbers, found {names!r}")
    return [str(name) for name in names or ()]


def _boxes(path: Path, names: list[str]) -> list[Box]:
    lines = enumerate(read_text(path).splitlines(), 1)
    return [_box(path, number, line.split(), names) for number, line in lines if line.strip()]


def _box(path: Path, number: int, fields: list[str], names: list[str]) -> Box:
    try:
        kind, x, y, width, height = map(float, fields)
    except ValueError:
        kind = -1.0
    if len(fields) != FIELDS or kind < 0 or kind % 1:
        raise DataError(
            f"{path}, line {number}: expected a class from 0 on, and x, y, width and height of its box, found "
            f"'{' '.join(fields[:8])}'"
        )
    if names and kind >= len(names):
        raise DataError(
            f"{path}, line {number}: class {kind:g} has no name (there are {len(names)}: {shortened(names)})"
        )
    return (int(kind), x - width / 2, y - height / 2, x + width / 2, y + height / 2)
