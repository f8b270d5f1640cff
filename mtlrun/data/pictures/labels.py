"""What labels the pictures of a folder: a table, masks and boxes, read together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mtlrun.data.label_kinds import Labels
from mtlrun.data.pictures.boxes import PictureBoxes, boxes_of_pictures
from mtlrun.data.pictures.masks import (
    Meaning,
    PictureMasks,
    checked_masks,
    masks_of_column,
    masks_of_folder,
)
from mtlrun.data.pictures.names import PictureNames
from mtlrun.data.pictures.places import beside, by_task
from mtlrun.data.pictures.sizes import in_words, size_of_picture
from mtlrun.data.pictures.table import PictureTable, matched, read_table_of
from mtlrun.data.readers.image_files import Size
from mtlrun.data.tables.load import check_column
from mtlrun.errors import ConfigError, DataError
from mtlrun.lines import shortened

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelOptions:
    """The options of the same names, see `mtlrun.data.sets.pictures.load`; key: the column that rows are split by."""

    table: str | None
    file: str | None
    masks: str | Mapping[str, str] | None
    mask_classes: Meaning | Mapping[str, Meaning] | None
    boxes: str | Mapping[str, str] | None
    key: str | None


@dataclass
class PictureLabels:
    """The pictures of a folder, how large each is, and what labels them.

    aside: columns of the table that are no labels.
    """

    pictures: PictureNames
    sizes: list[Size]
    table: PictureTable | None = None
    aside: list[str] = field(default_factory=list)
    masks: dict[str, PictureMasks] = field(default_factory=dict)
    boxes: dict[str, PictureBoxes] = field(default_factory=dict)


def read_labels(folder: Path, options: LabelOptions) -> PictureLabels:
    """The labels of all pictures in a folder.

    Raises:
        ConfigError, DataError: see `mtlrun.data.sets.pictures.load`.
    """
    table_path = None if options.table is None else beside("data.table", options.table, folder)
    table = None if table_path is None else read_table_of(table_path)
    if table is None and (options.file or options.key):
        raise ConfigError(f"'{options.file or options.key}' is a column of a table: name its file with data.table=FILE")
    mask_places, box_places = by_task("masks", options.masks), by_task("boxes", options.boxes)
    columns = {task: place for task, place in mask_places.items() if table is not None and place in table.columns}
    folders = {task: _folder(place, folder) for task, place in mask_places.items() if task not in columns}
    pictures = PictureNames(folder, [*folders.values()])
    found = PictureLabels(pictures, [size_of_picture(path) for path in pictures.paths])
    if table is not None and table_path is not None:
        key = [] if options.key is None else [options.key]
        for name in key:
            check_column(table, name, "data.group or data.order")
        found.table = matched(table_path, table, options.file, [*columns.values(), *key], pictures)
        found.aside = [found.table.file, *columns.values(), *key]
    for task in mask_places:
        meaning = _meaning(task, options)
        if task in folders:
            files = masks_of_folder(folders[task], pictures)
        else:
            assert found.table is not None
            files = masks_of_column(columns[task], found.table, folder)
        found.masks[task] = checked_masks(task, files, folders.get(task), meaning, found.sizes)
    for task, place in box_places.items():
        found.boxes[task] = boxes_of_pictures(beside("data.boxes", place, folder), pictures, found.sizes)
    return found


def _folder(place: str, pictures: Path) -> Path:
    """The folder of masks."""
    found = beside("data.masks", place, pictures)
    if not found.is_dir():
        raise DataError(f"data.masks={place}: should be a folder of PNG files, or a column of the table")
    if pictures.resolve().is_relative_to(found.resolve()):
        raise DataError(f"data.masks={place} holds the pictures too: put the masks into a folder of their own")
    return found


def _meaning(task: str, options: LabelOptions) -> Meaning | None:
    """What `data.mask_classes` says of a task's masks."""
    classes = options.mask_classes
    if classes is None or not isinstance(options.masks, Mapping):
        return classes
    if not isinstance(classes, Mapping) or not {*map(str, classes)} <= {*map(str, options.masks)}:
        raise ConfigError(f"data.mask_classes: of several masks by task, as {{{task}: [background,thing]}}")
    found: Meaning | None = classes.get(task)
    return found


def labelled_places(found: PictureLabels) -> list[int]:
    """Places of the pictures that anything names, in order."""
    named = {*(found.table.rows if found.table else ())}
    for mask in found.masks.values():
        named |= {*mask.paths}
    for boxed in found.boxes.values():
        named |= {*boxed.boxes}
    return sorted(named)


def marks_of(found: PictureLabels, rows: Sequence[int]) -> dict[str, Labels]:
    """Which pictures have masks and boxes, and what kinds of tasks these are; their values are read later."""

    def made(there: Mapping[int, object], kind: str, classes: list[str]) -> Labels:
        mask = torch.tensor([place in there for place in rows])
        return Labels(torch.zeros(len(rows)), mask, {"kind": kind, "classes": classes})

    masks = {task: made(mask.paths, "Segmentation", mask.classes.names) for task, mask in found.masks.items()}
    return masks | {task: made(boxed.boxes, "Detection", boxed.classes) for task, boxed in found.boxes.items()}


def tell(found: PictureLabels, rows: Sequence[int], size: Size) -> None:
    """Say what was made of the pictures, masks and boxes, a line each."""
    known = sorted({found.sizes[place] for place in rows})
    several = f"of {len(known)} sizes from {in_words(known[0])} to {in_words(known[-1])}"
    stretched = "" if known == [size] else f", stretched to {in_words(size)} (height x width)"
    log.info(
        "%d pictures of %s, %s%s",
        len(rows),
        found.pictures.folder,
        several if len(known) > 1 else in_words(known[0]),
        stretched,
    )
    unnamed = sorted({*range(len(found.pictures))} - {*rows})
    if unnamed:
        names = [found.pictures.paths[place].name for place in unnamed]
        log.info("left out, since nothing labels them: %d pictures (%s)", len(names), shortened(names, 3))
    for task, mask in found.masks.items():
        log.info("task %s: %s", task, mask.how)
    for task, boxed in found.boxes.items():
        log.info("task %s: %s", task, boxed.how)


def check_names(labels: Mapping[str, Labels], found: PictureLabels) -> None:
    names = [*labels, *found.masks, *found.boxes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"two tasks are called '{twice}': name masks or boxes otherwise, as 'data.masks={{NAME: ...}}'"
        )


def warn_of_absent_classes(found: PictureLabels, places: Sequence[int]) -> None:
    """Name the classes that no box of the training pictures, at those places, has."""
    for task, boxed in found.boxes.items():
        there = {box[0] for place in places for box in boxed.boxes.get(place, ())}
        absent = [name for number, name in enumerate(boxed.classes) if number not in there]
        if absent:
            log.warning("task %s: no box of %s in the training pictures", task, shortened(absent))
