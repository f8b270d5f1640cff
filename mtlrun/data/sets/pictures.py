"""Users' own pictures, with labels in a table, masks and boxes: one task each, over the same pictures."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mtlrun.data.label_kinds import Labels
from mtlrun.data.label_warnings import warn_before_training
from mtlrun.data.must_be_named import named_path
from mtlrun.data.pictures.copies import warn_of_copies
from mtlrun.data.pictures.labels import (
    LabelOptions,
    PictureLabels,
    check_names,
    labelled_places,
    marks_of,
    read_labels,
    tell,
    warn_of_absent_classes,
)
from mtlrun.data.pictures.masks import Meaning
from mtlrun.data.pictures.sizes import asked_size, common_size, in_words
from mtlrun.data.pictures.table import PictureTable, in_rows
from mtlrun.data.pictures.table_labels import table_labels
from mtlrun.data.readers.box_rows import Boxes
from mtlrun.data.readers.class_masks import ClassMasks
from mtlrun.data.readers.image_files import LazySource, PictureRows, Pictures, Size, kept, sample_statistics
from mtlrun.data.row_splits import SPLITS, SplitKey, check_sizes, sizes_of
from mtlrun.data.source import Splits
from mtlrun.data.split_plan import SplitOptions, check_labels, planned, statement
from mtlrun.data.tables.load import key_of
from mtlrun.data.tables.raw import RawTable
from mtlrun.data.variety import check_variety
from mtlrun.errors import ConfigError, DataError
from mtlrun.options import by_name, distinct, flag, not_negative, positive, whole

log = logging.getLogger(__name__)

MAX_DETECTIONS = 100
"""Boxes of a picture that count in its score, unless one is labelled with more."""

REMEDY = "give data.table=FILE, data.masks or data.boxes"


def load(
    path: str | None = None,
    table: str | None = None,
    file: str | None = None,
    targets: Sequence[str] | None = None,
    yes_no: Mapping[str, Sequence[str]] | None = None,
    masks: str | Mapping[str, str] | None = None,
    mask_classes: Meaning | Mapping[str, Meaning] | None = None,
    boxes: str | Mapping[str, str] | None = None,
    size: int | Sequence[int] | None = None,
    smallest: float = 2.0,
    val: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    group: str | None = None,
    order: str | None = None,
    stratify: bool = True,
    max_classes: int = 100,
    kinds: Mapping[str, str] | None = None,
    memory_mb: float = 500,
) -> Splits:
    """One source, uint8 [3, H, W]; a picture is a row if the table, a mask or a file of boxes names it, and has the
    labels of those that do. `Splits.inferred` says the kinds of the tasks.

    Args:
        path: folder of the pictures.
        table: file with a row for a picture.
        file: its column of file names; None to find it.
        targets: its columns of labels, one task each; None for all that are nothing else.
        yes_no: tasks that are several of its columns of yes and no.
        masks: folder of PNG masks, or the column of the table that names them; of several tasks by their names.
        mask_classes: names of the classes, or the value or colour of each; of several masks by task.
        boxes: JSON file of COCO, or folder of YOLO's text files or VOC's XML; of several tasks by their names.
        size: height and width of the rows; None if all pictures have the same.
        smallest: boxes with a side below so many pixels of the rows are left out.
        val, test: shares of the pictures.
        seed: of the random split.
        group, order: columns of the table to split by, as for any table.
        stratify: whether rare classes of the table are spread over the splits.
        max_classes, kinds: of the table's labels, see `mtlrun.data.sets.arrays.load`.
        memory_mb: a split that takes at most so many megabytes is kept in memory.

    Raises:
        ConfigError: if an option is missing, out of range or names what is not there.
        DataError: if files are missing or malformed, or do not fit each other.
    """
    folder = named_path("pictures", path)
    if not folder.is_dir():
        raise DataError(f"data.path={path}: no such folder")
    if table is None and not masks and not boxes:
        raise ConfigError(f"nothing says what is to be learned: {REMEDY}")
    splitting = SplitOptions(None, None, val, test, seed, group, order, flag("data.stratify", stratify))
    stated, most_classes = asked_size(size), whole("data.max_classes", max_classes)
    positive("data.smallest", smallest), not_negative("data.memory_mb", memory_mb)
    asked, answers = by_name("data.kinds", kinds, "{age: Regression}"), by_name("data.yes_no", yes_no, "{seen: [a,b]}")
    answers = {task: distinct(f"data.yes_no.{task}", names) for task, names in answers.items()}
    column = None if splitting.key is None else splitting.key[1]
    found = read_labels(folder, LabelOptions(table, file, masks, mask_classes, boxes, column))
    rows = labelled_places(found)
    check_sizes(sizes_of(len(rows), splitting.shares), len(rows))
    row_size = stated or common_size([found.sizes[place] for place in rows])
    tell(found, rows, row_size)
    labels = table_labels(found, rows, targets, answers, asked, most_classes)
    check_names(labels, found)
    everything = {**labels, **marks_of(found, rows)}
    if not everything:
        raise ConfigError(f"no column of {table} is left for data.targets: name one, or {REMEDY}")
    key = _key(found.table, splitting.key, rows)
    split, how = planned(splitting, [len(rows)], labels, key)
    check_labels(everything, split)
    check_variety(labels, split)
    warn_before_training(labels, split["train"].numpy(), None)
    warn_of_absent_classes(found, [rows[row] for row in split["train"].tolist()])
    warn_of_copies([found.pictures.paths[place] for place in rows], split, group is not None)
    made = _Maker(found, rows, labels, row_size, smallest).sources(split)
    train, held_out, testing = (kept([made[part]], memory_mb) for part in SPLITS)
    inferred = {task: label.kind for task, label in everything.items()}
    for task, boxed in found.boxes.items():
        most = max(map(len, boxed.boxes.values()))
        inferred[task] = {**inferred[task], "max_detections": max(MAX_DETECTIONS, most)}
    return Splits(train, held_out, testing, statement(split, everything, how), inferred)


def _key(table: PictureTable | None, key: tuple[str, str] | None, rows: Sequence[int]) -> SplitKey | None:
    if table is None or key is None:
        return None
    column = in_rows(table.table.columns[key[1]], [table.rows.get(place) for place in rows])
    return key_of(RawTable({key[1]: column}), key)


@dataclass(frozen=True)
class _Maker:
    """What the source of each split is made from."""

    found: PictureLabels
    rows: Sequence[int]
    labels: Mapping[str, Labels]
    size: Size
    smallest: float

    def sources(self, split: Mapping[str, Tensor]) -> dict[str, LazySource]:
        """By split; normalised by the statistics of the training pictures."""
        pictures = {part: Pictures(self._paths(chosen), self.size) for part, chosen in split.items()}
        mean, std = sample_statistics(pictures["train"])
        marks, made, lost = marks_of(self.found, self.rows), {}, 0
        for part, chosen in split.items():
            places = [self.rows[row] for row in chosen.tolist()]
            targets: dict[str, Tensor | PictureRows] = {t: label.values[chosen] for t, label in self.labels.items()}
            for task, mask in self.found.masks.items():
                targets[task] = ClassMasks([mask.paths.get(place) for place in places], self.size, mask.classes)
            for task, boxed in self.found.boxes.items():
                given = [boxed.boxes.get(place) for place in places]
                boxes = Boxes(given, [self.found.sizes[place] for place in places], self.size, self.smallest)
                lost += sum(len(found) for found in given if found) - boxes.count
                self._check_some(task, part, boxes)
                targets[task] = boxes
            there = {task: label.labelled[chosen] for task, label in {**self.labels, **marks}.items()}
            made[part] = LazySource("pictures", pictures[part], targets, there, mean, std)
        if lost:
            words = in_words(self.size)
            log.info("%d boxes with a side below data.smallest=%g are left out, of %s", lost, self.smallest, words)
        return made

    def _check_some(self, task: str, part: str, boxes: Boxes) -> None:
        """Raise DataError where no box is left to train on, and warn where none is left to score."""
        if boxes.most:
            return
        none = f"task '{task}' has no box in the pictures of {part}, of sides from data.smallest={self.smallest:g} on"
        if part == "train":
            raise DataError(f"{none}: there is nothing to learn")
        log.warning("%s: its scores say nothing", none)

    def _paths(self, chosen: Tensor) -> list[Path]:
        return [self.found.pictures.paths[self.rows[row]] for row in chosen.tolist()]
