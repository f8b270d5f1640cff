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
    check_no_pictures,
    checked_masks,
    files_in_column,
    masks_of_folder,
)
from mtlrun.data.pictures.names import PictureNames
from mtlrun.data.pictures.places import beside, by_task
from mtlrun.data.pictures.sizes import in_words, size_of_picture
from mtlrun.data.pictures.table import PictureTable, matched, read_table_of
from mtlrun.data.readers.image_files import Size
from mtlrun.data.tables.load import check_column
from mtlrun.data.tables.raw import RawTable
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


@dataclass(frozen=True)
class _MaskPlace:
    """Where a task's masks are: a folder, or files by the rows of the table."""

    folder: Path | None
    by_row: Mapping[int, Path]


def read_labels(folder: Path, options: LabelOptions) -> PictureLabels:
    """The labels of all pictures in a folder.

    Raises:
        ConfigError, DataError: see `mtlrun.data.sets.pictures.load`.
    """
    table = _table(folder, options)
    names, box_places = by_task("masks", options.masks), by_task("boxes", options.boxes)
    places = {task: _mask_place(name, table, folder, options.file) for task, name in names.items()}
    folders = [place.folder for place in places.values() if place.folder is not None]
    pictures = PictureNames(folder, folders, [file for place in places.values() for file in place.by_row.values()])
    found = PictureLabels(pictures, [size_of_picture(path) for path in pictures.paths])
    if table is not None:
        aside = [names[task] for task, place in places.items() if place.folder is None]
        aside += [] if options.key is None else [options.key]
        found.table = matched(*table, options.file, aside, pictures)
        found.aside = [found.table.file, *aside]
    for task, place in places.items():
        files = masks_of_folder(place.folder, pictures) if place.folder else _by_picture(found.table, place.by_row)
        found.masks[task] = checked_masks(task, files, place.folder, _meaning(task, options), found.sizes)
    for task, name in box_places.items():
        found.boxes[task] = boxes_of_pictures(beside("data.boxes", name, folder), pictures, found.sizes)
    return found


def _table(folder: Path, options: LabelOptions) -> tuple[Path, RawTable] | None:
    """The table with its path."""
    if options.table is None:
        if options.file or options.key:
            column = options.file or options.key
            raise ConfigError(f"'{column}' is a column of a table: name its file with data.table=FILE")
        return None
    path = beside("data.table", options.table, folder)
    table = read_table_of(path)
    if options.key is not None:
        check_column(table, options.key, "data.group or data.order")
    return path, table


def _mask_place(name: str, table: tuple[Path, RawTable] | None, pictures: Path, file: str | None) -> _MaskPlace:
    """A column of the table, if there is one of that name, or else a folder."""
    if table is not None and name in table[1].columns:
        by_row = files_in_column(name, *table, pictures)
        check_no_pictures(name, *table, pictures, by_row, file)
        return _MaskPlace(None, by_row)
    return _MaskPlace(_folder(name, pictures), {})


def _by_picture(table: PictureTable | None, by_row: Mapping[int, Path]) -> dict[int, Path]:
    rows = table.rows if table is not None else {}
    return {place: by_row[row] for place, row in rows.items() if row in by_row}


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
