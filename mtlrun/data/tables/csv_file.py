"""CSV files of any delimiter, read strictly: a line that does not fit is named, never padded or dropped."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from mtlrun.data.tables.number_texts import PLAIN
from mtlrun.data.tables.raw import RawTable
from mtlrun.data.tables.text_types import typed, words
from mtlrun.errors import DataError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LOOKED_AT = 50
"""Lines by which the delimiter is found."""
BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_csv_file(path: Path, as_words: Collection[str] = ()) -> RawTable:
    """The columns of a file whose first line names them.

    Args:
        path: of the file.
        as_words: names of columns that hold words, whatever these look like.

    Raises:
        DataError: if it is empty, no text, has no line of names, names a column twice, or has a line of another length.
    """
    text = _text(path)
    if not text.strip():
        raise DataError(f"{path} is empty: it should name its columns in the first line, and hold a row in each other")
    delimiter = _delimiter(path, text)
    lines = _lines(path, text, delimiter)
    _, header = next(lines)
    names = _names(path, [name.strip() for name in header])
    numbers, rows = [], []
    for number, row in lines:
        _check_line(path, number, row, header)
        numbers.append(number)
        rows.append(row)
    if not rows:
        raise DataError(f"{path} names {len(names)} columns, and has no row below them")
    cells = [*zip(*rows)]
    first = numbers[0]
    columns = {
        name: words(name, column) if name in as_words else typed(name, column, first)
        for name, column in zip(names, cells)
        if name
    }
    notes = [] if delimiter == "," else [f"{path.name} is read with {DELIMITERS[delimiter]} between its columns"]
    if not all(names):
        notes.append(f"the first column of {path.name} has no name and counts the {len(rows)} rows: it is left out")
        _check_counts(path, cells[names.index("")])
    return RawTable(columns, notes)


def _text(path: Path) -> str:
    """The file as text, unpacked if its name ends in .gz."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    encoding = BYTE_ORDER_MARKS.get(raw[:2], "utf-8-sig")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: no UTF-8 text, save the table as CSV in UTF-8") from error
    if "\0" in text:
        raise DataError(f"{path} holds bytes of value 0 and is no text: save the table as CSV in UTF-8")
    return text


def _lines(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(number of the line, fields) of each line that is not blank; quoted as the first name is."""
    quote = "'" if text.startswith("'") else '"'
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True)
    before = 0
    try:
        for row in reader:
            if any(field.strip() for field in row) or len(row) > 1:
                yield before + 1, row
            before = reader.line_num
    except csv.Error as error:
        long = f", or the field is longer than {csv.field_size_limit():,}" if "limit" in str(error) else ""
        raise DataError(f"{path}, line {before + 1}: a quotation mark is not closed, or stands alone{long}") from error


def _delimiter(path: Path, text: str) -> str:
    """The one by which most of the first lines have as many fields as the line of names, and the most of them.

    Raises:
        DataError: if by none of them there are two columns, or by two of them as many in every line.
    """
    found = {}
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for _, row in islice(_lines(path, text, delimiter), LOOKED_AT)]
        except DataError:
            widths = [len(text.lstrip("\r\n").splitlines()[0].split(delimiter))]
        if widths and widths[0] > 1:
            found[delimiter] = (widths.count(widths[0]) / len(widths), widths[0])
    if not found:
        raise DataError(f"{path} has a single column: separate columns by commas, semicolons or tabs")
    best = [delimiter for delimiter in found if found[delimiter] == max(found.values())]
    if len(best) > 1 and found[best[0]][0] == 1:
        one, two, *_ = (DELIMITERS[delimiter] for delimiter in best)
        raise DataError(
            f"{path}: columns may be separated by {one} or by {two}: quote the fields that hold one of them"
        )
    return best[0]


def _names(path: Path, header: list[str]) -> list[str]:
    """The names of the columns; the first may be empty.

    Raises:
        DataError: if there are none, or one stands twice.
    """
    if _are_numbers(header) and header != [str(place) for place in range(len(header))]:
        raise DataError(f"{path} begins with numbers: name the columns in its first line")
    twice = next((name for name, count in Counter(header).items() if name and count > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two columns called '{twice}': give each a name of its own")
    nameless = [place for place, name in enumerate(header, 1) if not name]
    if nameless and nameless != [1]:
        raise DataError(f"{path}: column {nameless[-1]} has no name in the first line")
    return header


def _are_numbers(header: Sequence[str]) -> bool:
    return all(PLAIN.fullmatch(name) for name in header)


def _check_line(path: Path, number: int, row: Sequence[str], header: Sequence[str]) -> None:
    if len(row) != len(header):
        raise DataError(
            f"{path}, line {number} has {len(row)} fields, and the first line names {len(header)} columns: "
            "quote fields that hold the delimiter"
        )
    if row == header:
        raise DataError(f"{path}, line {number} names the columns again: leave that line out")


def _check_counts(path: Path, cells: Sequence[str]) -> None:
    """A column without a name is left out only if it is the number of the row, which pandas writes."""
    starts = ("0", "1")
    if cells[0] not in starts or any(cell != str(row + int(cells[0])) for row, cell in enumerate(cells)):
        raise DataError(f"{path}: column 1 has no name in the first line")
