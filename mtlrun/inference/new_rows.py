"""Labelled rows of a new table, for a network that was trained on one: encoded, and labelled, as in training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mtlrun.data.array_cache import Array
from mtlrun.data.label_kinds import Labels
from mtlrun.data.source import Source, TensorSource
from mtlrun.data.tables.raw import TEXT, RawColumn, RawTable
from mtlrun.data.tables.read import read_raw
from mtlrun.data.tables.target_names import task_names
from mtlrun.data.tables.targets import labels_of_columns
from mtlrun.data.tables.text_columns import text_examples
from mtlrun.data.tables.vectors import column_of, vectors_in
from mtlrun.data.text.encode import encode
from mtlrun.data.text.source import TokenSource
from mtlrun.data.text.vocabulary import Vocabulary
from mtlrun.errors import DataError
from mtlrun.inference.columns import EncodeColumns, names_of_words, rows_of_table
from mtlrun.inference.description import InputDescription, ModelDescription
from mtlrun.inference.rebuild import fitted_tasks
from mtlrun.tasks.base import Task


def table_rows(path: Path, entry: InputDescription, description: ModelDescription) -> Source:
    """A source of the tasks whose columns the table has.

    Raises:
        DataError: if it has none of them, lacks a column of inputs, or has a class that training did not know.
    """
    read = partial(read_raw, path)
    table = read(names_of_words(entry.columns))
    labels = labels_in(path, read, table, names_of_words(entry.columns), description, {c.name for c in entry.columns})
    values = EncodeColumns(entry.columns)(rows_of_table(path, table, entry.columns))
    targets = {task: found.values for task, found in labels.items()}
    masks = {task: found.labelled for task, found in labels.items()}
    return TensorSource("arrays", values, targets, masks, columns=entry.columns)


def text_rows(
    path: Path, text: Sequence[str], entry: InputDescription, description: ModelDescription, vocabulary: Vocabulary
) -> Source:
    """The same for texts.

    Args:
        path: of the table.
        text: its column of texts, or the two of pairs.
        entry: what the network takes.
        description: of the network.
        vocabulary: of training.

    Raises:
        DataError: as `table_rows`.
    """
    read = partial(read_raw, path)
    table = read(text)
    examples = text_examples(path, table, text)
    labels = labels_in(path, read, table, text, description, {*text})
    targets = {task: found.values for task, found in labels.items()}
    masks = {task: found.labelled for task, found in labels.items()}
    tokens = encode(examples, vocabulary, entry.input_shape[0]).tokens
    return TokenSource(entry.name, tokens, targets, masks, vocabulary, torch.arange(len(examples)))


def labels_in(
    path: Path,
    read: Callable[[Collection[str]], RawTable],
    table: RawTable,
    words: Collection[str],
    description: ModelDescription,
    inputs: Collection[str],
) -> dict[str, Labels]:
    """The labels of the tasks whose columns a table has.

    Args:
        path: of the table, for messages.
        read: reads it, with the texts of these columns as words.
        table: so read, with those of `words`.
        words: see `names_of_words`.
        description: of the network.
        inputs: columns that are no labels.

    Raises:
        DataError: as `table_rows`.
    """
    tasks = fitted_tasks(description)
    others = [name for name in table.columns if name not in inputs]
    names = task_names([*vectors_in(others), *others])
    names = {column: task for column, task in names.items() if task in tasks}
    if not names:
        raise DataError(f"{path} has labels of none of the run's tasks ({', '.join(tasks)})")
    alike = [column for column, task in names.items() if len(_names(tasks[task])) > 1]
    written = read([*words, *alike]).columns if alike else {}
    columns = {
        task: written[column]
        if column in written and _all_named(written[column], tasks[task])
        else column_of(table, column)
        for column, task in names.items()
    }
    return {task: _labels(path, tasks[task], raw) for task, raw in columns.items()}


def _names(task: Task) -> list[str]:
    """Of its classes or labels."""
    given: Sequence[str] = getattr(task, "classes", getattr(task, "labels", ()))
    return [*given]


def _all_named(raw: RawColumn, task: Task) -> bool:
    """Whether all labels are names of classes as they are written: in a part of the rows '1' and 'true' may be alone,
    which are numbers then, though the classes are '1', 'XL' or 'true', 'unknown'."""
    return {*raw.texts()} <= {"", *_names(task)}


def _labels(path: Path, task: Task, raw: RawColumn) -> Labels:
    """Labels with the numbers of training: classes that are words by their names."""
    names = _names(task)
    kind = type(task).__name__
    if raw.kind != TEXT:
        return labels_of_columns({task.name: raw}, {task.name: kind}, 2**31, ())[task.name]
    return labels_of_columns({task.name: _numbered(path, task, raw, names)}, {task.name: kind}, 2**31, ())[task.name]


def _numbered(path: Path, task: Task, raw: RawColumn, names: list[str]) -> RawColumn:
    """A column of words as numbers, in the order of the names; of a single label the named word is 1."""
    codes: dict[str, float] = {name: float(code) for code, name in enumerate(names)}
    texts = raw.label_texts()
    if len(names) == 1:
        codes = {text: float(text == names[0]) for text in texts if text}
    unknown = next((text for text in texts if text and text not in codes), None)
    if unknown is not None:
        raise DataError(f"{path}: '{unknown}' in column '{raw.name}' is no class of task '{task.name}' in training")
    values: Array = np.array([codes.get(text, np.nan) for text in texts])
    return RawColumn(raw.name, "number", values)
