"""Texts and tables of a collection's folder."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from mtlrun.errors import DataError, near_miss


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        DataError: if it cannot be read, or holds other bytes; the line is named.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: no UTF-8 text, fetch it again or convert it") from error


def read_csv(path: Path, columns: Collection[str], delimiter: str = ",") -> list[dict[str, str]]:
    """The lines of a CSV file, by column.

    Raises:
        DataError: if it is not readable, is empty, lacks one of the columns or has it twice, or has a line that is too
            short.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            there, lines = [str(name) for name in reader.fieldnames or ()], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no readable CSV file ({error}): fetch it again") from error
    if not lines:
        raise DataError(f"{path} has no rows: fetch it again")
    for column in columns:
        if there.count(column) > 1:
            raise DataError(f"{path} has two columns called '{column}': fetch it again")
        if column not in there:
            listed = f"{near_miss(column, there)} (there are: {', '.join(there)})"
            raise DataError(f"{path} has no column '{column}'{listed}")
    for number, line in enumerate(lines, 2):
        if any(line[column] is None for column in columns):
            raise DataError(f"{path} ends too early in line {number}: fetch it again")
    return lines
