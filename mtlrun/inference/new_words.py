"""Labelled words of a new file, for a network that was trained on one: numbered, and labelled, as in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from mtlrun.data.readers.word_columns import NO_TAG, in_iob2, is_entities, read_word_columns
from mtlrun.data.sets.texts import roles
from mtlrun.data.source import Source
from mtlrun.data.tables.target_names import task_names
from mtlrun.data.text.encode import encode, token_labels
from mtlrun.data.text.example import TextExample
from mtlrun.data.text.labels import UNLABELLED
from mtlrun.data.text.source import TokenSource
from mtlrun.data.text.vocabulary import Vocabulary
from mtlrun.errors import DataError
from mtlrun.inference.description import InputDescription, ModelDescription
from mtlrun.inference.rebuild import fitted_tasks


def word_rows(
    path: Path,
    columns: Sequence[str],
    text: Sequence[str] | None,
    entry: InputDescription,
    description: ModelDescription,
    vocabulary: Vocabulary,
) -> Source:
    """A source of the tasks whose columns the file has.

    Args:
        path: of the file.
        columns: names of its columns; '_' for those that do not matter.
        text: its column of words; None to find it.
        entry: what the network takes.
        description: of the network.
        vocabulary: of training.

    Raises:
        ConfigError: if the columns are not named as in training.
        DataError: if the file is malformed, or has a tag that training did not know.
    """
    words, others = roles(columns, text, None)
    tasks = fitted_tasks(description)
    names = {column: task for column, task in task_names(others).items() if task in tasks}
    if not names:
        raise DataError(f"{path} has labels of none of the run's tasks ({', '.join(tasks)})")
    sentences = read_word_columns(path, columns)
    encoded = encode([TextExample(sentence[words]) for sentence in sentences], vocabulary, entry.input_shape[0])
    targets = {}
    for column, task in names.items():
        classes: Sequence[str] = getattr(tasks[task], "classes", ())
        tags = [sentence[column] for sentence in sentences]
        targets[task] = token_labels(_numbers(path, column, task, tags, classes), encoded.words)
    labelled = {task: (found != UNLABELLED).any(1) for task, found in targets.items()}
    return TokenSource(entry.name, encoded.tokens, targets, labelled, vocabulary, torch.arange(len(sentences)))


def _numbers(
    path: Path, column: str, task: str, sentences: Sequence[Sequence[str]], classes: Sequence[str]
) -> list[list[int]]:
    """The class of each word of each sentence, by the numbers of training; -1 for none."""
    entities = is_entities(classes)
    numbers = {tag: number for number, tag in enumerate(classes)} | {NO_TAG: UNLABELLED}
    for tag in (tag for tags in sentences for tag in tags):
        begins = f"B-{tag[2:]}" if entities and is_entities(("O", tag)) else tag
        if begins not in numbers:
            raise DataError(f"{path}: '{tag}' in column '{column}' is no class of task '{task}' in training")
    return [[numbers[tag] for tag in (in_iob2(tags) if entities else tags)] for tags in sentences]
