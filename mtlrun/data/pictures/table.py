"""A table that names pictures: which row belongs to which, and the labels in its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mtlrun.data.label_kinds import Labels
from mtlrun.data.pictures.names import PictureNames
from mtlrun.data.readers.image_files import SUFFIXES
from mtlrun.data.tables.load import check_column
from mtlrun.data.tables.raw import TEXT, RawColumn, RawTable
from mtlrun.data.tables.read import TABLES, is_table, read_raw
from mtlrun.data.tables.targets import labels_of_columns
from mtlrun.errors import ConfigError, DataError
from mtlrun.lines import shortened

LOOKED_AT = 200
"""Rows by which the column of file names is found."""


@dataclass(frozen=True)
class PictureTable:
    """A table, the column of file names, and the row of each picture that it names, by the picture's place."""

    path: Path
    table: RawTable
    file: str
    rows: Mapping[int, int]


def read_table_of(path: Path) -> RawTable:
    """The table in a file.

    Raises:
        DataError: if it is none, or malformed.
    """
    if not is_table(path):
        raise DataError(f"data.table={path}: is no table (known endings: {', '.join(TABLES)})")
    return read_raw(path)


def matched(
    path: Path, table: RawTable, file: str | None, aside: Collection[str], pictures: PictureNames
) -> PictureTable:
    """The table with the pictures that its rows are about.

    Args:
        path: of its file.
        table: as it was read.
        file: name of the column of file names; None to find it.
        aside: columns that are none.
        pictures: that may be named.

    Raises:
        ConfigError: if there is no such column.
        DataError: if a row names no picture, one that is not there, or one that another row names.
    """
    column = None if file is None else str(file)
    if column is not None:
        check_column(table, column, "data.file")
    column = column or _file_column(path, table, aside, pictures)
    names = table.columns[column].texts()
    if "" in names:
        raise DataError(f"{path}: row {names.index('') + 1} names no picture in column '{column}'")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        rows = [str(row) for row, other in enumerate(names, 1) if other == name]
        raise DataError(f"{path} names the picture '{name}' in {len(rows)} rows: {shortened(rows, 4)}")
    places = pictures.places(names, f"{path}, column '{column}'", "file")
    return PictureTable(path, table, column, {places[name]: row for row, name in enumerate(names)})


def _file_column(path: Path, table: RawTable, aside: Collection[str], pictures: PictureNames) -> str:
    """The column most of whose values are names of pictures: by their endings, else by what is in the folder."""
    some = {name: _some(column) for name, column in table.columns.items() if name not in aside}
    ended = [name for name, texts in some.items() if _mostly(texts, [_has_ending(text) for text in texts])]
    if len(ended) == 1:
        return ended[0]
    found = [
        name
        for name, texts in some.items()
        if name in (ended or some) and _mostly(texts, [_is_there(text, pictures) for text in texts])
    ]
    full = [name for name in found if _mostly(some[name], [pictures.is_whole(text) for text in some[name]])]
    if len(found) == 1 or len(full) == 1:  # masks may have the names of the pictures, in another folder
        return full[0] if len(full) == 1 else found[0]
    why = f"{shortened(found)} do" if found else "none does"
    raise ConfigError(
        f"{path}: which column names the pictures? {why} by its values: say it with data.file=NAME (there are: "
        f"{shortened([*table.columns], 20)})"
    )


def _some(column: RawColumn) -> list[str]:
    part = replace(column, values=column.values[:LOOKED_AT])
    return [text for text in part.texts() if text]


def _mostly(texts: Sequence[str], fits: Sequence[bool]) -> bool:
    return 2 * sum(fits) > len(texts)


def _has_ending(text: str) -> bool:
    return text.lower().endswith(SUFFIXES)


def _is_there(text: str, pictures: PictureNames) -> bool:
    try:
        return pictures.place(text) is not None
    except DataError:  # the name of several
        return True


def in_rows(column: RawColumn, rows: Sequence[int | None]) -> RawColumn:
    """The column's values in those rows; none where there is no row."""
    there = np.array([row is not None for row in rows])
    chosen = np.array([row or 0 for row in rows])
    values = column.values[chosen]
    if not there.all():
        values = values.astype(object if column.kind == TEXT else np.float64)
        values[~there] = "" if column.kind == TEXT else np.nan
    return replace(column, values=values)


def label_columns(
    table: RawTable, targets: Sequence[str] | None, yes_no: Mapping[str, Sequence[str]], aside: Collection[str]
) -> list[str]:
    """The columns that are a task each: those that are named, or all that are nothing else.

    Tasks of `yes_no` may be named among the targets: they are made in any case.

    Raises:
        ConfigError: if a column is not there, or is named for two things.
    """
    answers = [name for columns in yes_no.values() for name in columns]
    if targets is not None:
        targets = [name for name in targets if name not in yes_no or name in table.columns]
    for option, names in (("targets", targets or ()), ("yes_no", answers)):
        for name in names:
            check_column(table, name, f"data.{option}")
            if name in aside:
                raise ConfigError(f"column '{name}' is named in data.{option}, and has file names or splits the rows")
    both = [name for name, count in Counter([*answers, *(targets or ())]).items() if count > 1]
    if both:
        raise ConfigError(f"column '{both[0]}' is named twice in data.targets and data.yes_no: it is one task's")
    if targets is not None:
        return [*targets]
    return [name for name in table.columns if name not in aside and name not in answers]


def several_answers(columns: Sequence[RawColumn]) -> Labels:
    """One task of several yes/no questions, a column each: numbers 0 and 1, true and false, or two words of which the
    second one in the alphabet is yes.

    Raises:
        DataError: if a column holds anything else.
    """
    parts = [labels_of_columns({c.name: c}, {c.name: "MultiLabel"}, 2, ())[c.name] for c in columns]
    values = torch.cat([part.values for part in parts], 1)
    marks: Counter[str] = Counter()
    for part in parts:
        marks.update(part.marks)
    kind: dict[str, object] = {"kind": "MultiLabel", "labels": [column.name for column in columns]}
    return Labels(values, ~values.isnan().all(1), kind, dict(marks))
