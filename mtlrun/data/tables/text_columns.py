"""Columns of a table that are texts, as examples to encode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtlrun.data.readers.squad import split_words
from mtlrun.data.tables.raw import RawTable
from mtlrun.data.text.example import TextExample
from mtlrun.errors import DataError, near_miss


def text_examples(path: Path, table: RawTable, names: Sequence[str]) -> list[TextExample]:
    """The text of each row, or the pair of texts, split into words.

    Args:
        path: of the table's file, for messages.
        table: as it was read.
        names: of one column or two.

    Raises:
        DataError: if a column is not there.
    """
    for name in names:
        if name not in table.columns:
            raise DataError(f"{path} has no column '{name}' of texts{near_miss(name, table.columns)}")
    parts = [[split_words(text) for text in table.columns[name].texts()] for name in names]
    return [TextExample(*words) for words in zip(*parts)]
