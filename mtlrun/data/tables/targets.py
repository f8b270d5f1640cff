"""Labels from columns of a table: kinds read off the values, and names kept where they are words."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from mtlrun.data.infer import infer_labels
from mtlrun.data.label_kinds import Labels
from mtlrun.data.tables.raw import BLANK, TEXT, RawColumn
from mtlrun.data.tables.target_names import task_names, tell_names
from mtlrun.errors import DataError, choose
from mtlrun.lines import shortened

log = logging.getLogger(__name__)

BINARY = 2


def labels_by_task(
    columns: Mapping[str, RawColumn], kinds: Mapping[str, str], max_classes: int, as_words: Collection[str]
) -> dict[str, Labels]:
    """The labels of each column, under the name of its task; what its names and words were taken for is said.

    Args:
        columns: by their names in the table.
        kinds: those that the user names, by task or column.
        max_classes, as_words: see `labels_of_columns`.

    Raises:
        ConfigError: if a kind is named for no column; see `labels_of_columns`.
        DataError: if columns have no names that tasks can have; see `labels_of_columns`.
    """
    names = task_names(columns)
    found = {task: columns[name] for name, task in names.items()}
    chosen = {choose(names.get(task, task), found, "task in data.kinds"): kind for task, kind in kinds.items()}
    labels = labels_of_columns(found, chosen, max_classes, as_words)
    tell_names(names)
    for task, column in found.items():
        _tell_of_words(column, task)
    return labels


def labels_of_columns(
    columns: Mapping[str, RawColumn], kinds: Mapping[str, str], max_classes: int, as_words: Collection[str]
) -> dict[str, Labels]:
    """The labels of each task.

    Args:
        columns: by task.
        kinds: those that the user names, by task.
        max_classes: the most classes that whole numbers, or words, are taken for, if no kind is named.
        as_words: names of columns whose numbers are words.

    Raises:
        ConfigError, DataError: see `infer_labels`; also for words where numbers are needed.
    """
    found = {}
    for task, column in columns.items():
        words = column.kind == TEXT or column.name in as_words
        if column.name not in as_words:
            column.usable()
        make = labels_of_words if words else _labels_of_numbers
        found[task] = make(task, column, kinds.get(task), max_classes)
    return found


def _labels_of_numbers(task: str, column: RawColumn, kind: str | None, max_classes: int) -> Labels:
    return infer_labels(task, column.values, None, max_classes, kind)


def labels_of_words(task: str, column: RawColumn, kind: str | None, max_classes: int) -> Labels:
    """Classes in the order of the alphabet, under their own names; of a MultiLabel the second of two words is 1.

    Raises:
        DataError: for more classes than `max_classes` unless the kind is named, or a kind that takes no words.
    """
    texts = column.label_texts()
    names = sorted({text for text in texts if text})
    if kind is None and len(names) > max_classes:
        raise DataError(
            f"task '{task}' has {len(names)} different words in {len(texts)} rows, the first is '{names[0]}': leave it "
            f"out of data.targets, or say that they are classes with data.kinds.{task}=Classification"
        )
    if kind not in (None, "Classification") and (kind != "MultiLabel" or len(names) != BINARY):
        raise DataError(
            f"labels '{task}' are {len(names)} different words, the first is '{names[0]}': {kind} takes "
            + ("two" if kind == "MultiLabel" else "numbers")
        )
    codes = {text: float(code) for code, text in enumerate(names)}
    values = np.array([codes.get(text, np.nan) for text in texts])
    found = infer_labels(task, values, None, max_classes, kind or "Classification")
    if kind == "MultiLabel":
        return replace(found, kind={**found.kind, "labels": [names[1]]})
    return replace(found, kind={**found.kind, "classes": names if len(names) > 1 else [*names, "(other)"]})


def _tell_of_words(column: RawColumn, task: str) -> None:
    """Say which words are classes although many tables write them for no value, and which are spelled alike."""
    if column.kind != TEXT:
        return
    counts = {mark: int((column.values == mark).sum()) for mark in sorted(BLANK) if mark}
    found = [f"'{mark}' in {count} rows" for mark, count in counts.items() if count]
    if found:
        log.info("%s: %s is a class of its own; leave cells empty that have no label", task, " and ".join(found))
    words = sorted({str(value) for value in column.values})
    spelled = Counter(word.casefold() for word in words)
    twice = [word for word in words if spelled[word.casefold()] > 1]
    if twice:
        log.warning("classes of %s differ in capitals alone, and count as different: %s", task, shortened(twice))
