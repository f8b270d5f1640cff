"""Files that people bring for prediction: read, checked against what the network takes, one file at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.array_inputs import check_finite, with_channels
from mtlrun.data.pictures.sizes import size_of_picture
from mtlrun.data.readers.arrow_tables import ARROW, PARQUET
from mtlrun.data.readers.image_files import SUFFIXES, Pictures, Size
from mtlrun.data.readers.npz import DAMAGE, check_present, open_npz, read_array
from mtlrun.data.readers.squad import split_words
from mtlrun.data.tables.read import is_table, read_raw
from mtlrun.data.tables.text_columns import text_examples
from mtlrun.data.text.encode import encode
from mtlrun.data.text.example import TextExample
from mtlrun.data.text.vocabulary import Vocabulary
from mtlrun.errors import DataError, MtlrunError
from mtlrun.inference.columns import names_of_words, rows_of_table
from mtlrun.inference.description import InputDescription

NAMED_TABLES = (".tsv", *PARQUET, *ARROW)
ARRAYS, TABLES, TEXTS = (".npz", ".npy"), (".csv",), (".txt",)
OWN_TEXTS = "mtlrun.data.sets.texts.load"
KNOWN = (*SUFFIXES, *ARRAYS, *TABLES, *TEXTS, *NAMED_TABLES)


@dataclass
class Given:
    """Rows of one file.

    rows: their numbers in the file, from 1; none for a picture. inputs: per source of the network that they suit, raw
    [B, ...]. words, places: for texts, the words of each row and per token the word that it belongs to, -1 for none.
    sizes: of pictures, the height and width of each before it was stretched.
    """

    file: Path
    rows: list[int | None]
    inputs: dict[str, Tensor]
    words: list[list[str]] = field(default_factory=list)
    places: dict[str, Tensor] = field(default_factory=dict)
    sizes: list[Size] = field(default_factory=list)

    @property
    def is_picture(self) -> bool:
        """Whether it is one image, which may be answered together with others."""
        return self.file.suffix.lower() in SUFFIXES


class InputReader:
    """Reads files for a network.

    Args:
        inputs: what it takes; the rows of a file go to every source that they suit.
        vocabularies: of the sources of texts, by name.
        array: name of the array of inputs in .npz files.
        channels: where images in arrays have their channels, see `with_channels`.
        text: columns of texts, for networks that were trained on those of a table.
    """

    def __init__(
        self,
        inputs: Sequence[InputDescription],
        vocabularies: dict[str, Vocabulary],
        array: str = "inputs",
        channels: str = "auto",
        text: Sequence[str] = (),
    ) -> None:
        self.inputs, self._vocabularies = inputs, vocabularies
        self._array, self._channels, self._text = array, channels, text

    def read(self, file: Path) -> Given:
        """The rows of a file.

        Raises:
            DataError: if it is absent, damaged, or of another form than the network takes.
        """
        if not file.is_file():
            raise DataError(f"no file {file}")
        suffix = file.suffix.lower()
        if (is_table(file) or suffix == ".npz") and any(entry.columns for entry in self.inputs):
            return self._rows_of_table(file)
        if is_table(file) and suffix not in TEXTS and self._text and any(entry.is_text for entry in self.inputs):
            return self._texts_of_table(file)
        if suffix in SUFFIXES:
            return self._picture(file)
        if suffix in TEXTS:
            return self._texts(file)
        if suffix not in KNOWN:
            raise DataError(f"{file}: what this is is not known by its name (known: {', '.join(KNOWN)})")
        return self._numbers(file, self._table(file) if suffix in TABLES else self._values(file, suffix))

    def _picture(self, file: Path) -> Given:
        entries = [entry for entry in self.inputs if entry.is_image]
        self._suits(file, "a picture", entries)
        floats = next((entry for entry in entries if entry.normalisation.dtype != "uint8"), None)
        if floats is not None:
            kind = floats.normalisation.dtype
            raise DataError(
                f"{file}: the network was trained on images of {kind}, whose scale no picture tells: give .npy"
            )
        made = {entry.name: self._pixels(file, entry) for entry in entries}
        return Given(file, [None], made, sizes=[size_of_picture(file)])

    def _pixels(self, file: Path, entry: InputDescription) -> Tensor:
        channels, height, width = entry.input_shape
        if channels not in (1, 3):
            raise DataError(f"{file}: the network takes {channels} channels, and a picture has 1 or 3: give .npy")
        return Pictures([file], (height, width), channels).stack(torch.arange(1))

    def _texts(self, file: Path) -> Given:
        entries = [entry for entry in self.inputs if entry.is_text]
        self._suits(file, "a text", entries)
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{file} cannot be read as UTF-8 text ({type(error).__name__})") from error
        kept = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
        if not kept:
            raise DataError(f"{file} has no line of text")
        return self._encoded(file, [number for number, _ in kept], [_example(line) for _, line in kept])

    def _texts_of_table(self, file: Path) -> Given:
        """Rows by the names of the columns of texts."""
        examples = text_examples(file, read_raw(file, self._text), self._text)
        return self._encoded(file, [*range(1, len(examples) + 1)], examples)

    def _encoded(self, file: Path, rows: list[int | None], examples: Sequence[TextExample]) -> Given:
        made = Given(file, rows, {}, [[*e.first, *e.second] for e in examples])
        for entry in (entry for entry in self.inputs if entry.is_text):
            found = encode(examples, self._vocabularies[entry.name], entry.input_shape[0])
            made.inputs[entry.name], made.places[entry.name] = found.tokens, found.words
        return made

    def _values(self, file: Path, suffix: str) -> Array:
        if suffix == ".npz":
            with open_npz(file) as archive:
                check_present(file, self._array, [*archive.files], "inputs")
                return read_array(file, archive, self._array)
        try:
            values = np.load(file, allow_pickle=False)
        except DAMAGE as error:
            raise DataError(f"{file} is no .npy file of numbers, or damaged") from error
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
            raise DataError(f"{file} should hold an array of numbers")
        return values

    def _table(self, file: Path) -> Array:
        try:
            with file.open(newline="", encoding="utf-8-sig") as opened:
                lines = [line for line in csv.reader(opened) if line]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{file} cannot be read as a table ({error})") from error
        header = bool(lines) and not all(map(_is_number, lines[0]))
        rows = lines[1:] if header else lines
        if not rows:
            raise DataError(f"{file} has no row")
        for number, row in enumerate(rows, start=1 + header):
            wrong = next((cell for cell in row if not _is_number(cell)), None)
            if wrong is not None or len(row) != len(rows[0]):
                found = f"'{wrong}', which is no number" if wrong is not None else f"{len(row)} columns"
                raise DataError(f"{file}, line {number}: found {found} (the first row has {len(rows[0])} columns)")
        return np.array(rows, dtype=np.float64)

    def _rows_of_table(self, file: Path) -> Given:
        """Rows by the names of their columns; further columns do not matter."""
        tables = [entry for entry in self.inputs if entry.columns]
        made = {
            entry.name: rows_of_table(file, read_raw(file, names_of_words(entry.columns)), entry.columns)
            for entry in tables
        }
        count = len(next(iter(made.values())))
        return Given(file, [*range(1, count + 1)], made)

    def _numbers(self, file: Path, values: Array) -> Given:
        entries = [entry for entry in self.inputs if not entry.is_text and not entry.columns]
        found = "x".join(map(str, values.shape))
        self._suits(file, f"an array of {found}", entries)
        made: dict[str, Tensor] = {}
        for entry in entries:
            rows = self._rows(values, entry)
            if rows is not None:
                made[entry.name] = _typed(file, rows, entry)
        if not made:
            raise DataError(f"{file} holds {found} numbers, and a row should be {' or '.join(map(str, entries))}")
        count = len(next(iter(made.values())))
        return Given(file, [None] if count == 1 else [*range(1, count + 1)], made)

    def _rows(self, values: Array, entry: InputDescription) -> Array | None:
        """As [N, ...] of the entry's shape; None if it is another one."""
        if values.shape == entry.input_shape:
            return values[None]
        if values.ndim == 0 or values.ndim > 4 or 0 in values.shape:
            return None
        alone = entry.is_image and values.ndim == 3 and values.shape[2] == entry.input_shape[0]
        if alone and values.shape[:2] == entry.input_shape[1:]:
            return np.ascontiguousarray(values.transpose(2, 0, 1))[None]
        given = with_channels(self._array, values, self._channels)
        return given if given.shape[1:] == entry.input_shape else None

    def _suits(self, file: Path, what: str, entries: Sequence[InputDescription]) -> None:
        if not entries:
            raise DataError(f"{file} is {what}, and the network takes {' or '.join(map(str, self.inputs))}")


def text_columns(data: DictConfig) -> list[str]:
    """The columns of texts that the data of a run name; none for files of words, and for other data."""
    if data.get("_target_") != OWN_TEXTS or data.get("columns"):
        return []
    return named_texts(data) or []


def named_texts(data: DictConfig) -> list[str] | None:
    """The columns of `data.text`, one or several; None where they are to be found."""
    if data.text is None:
        return None
    return [data.text] if isinstance(data.text, str) else [*map(str, data.text)]


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """Files, and those of a known kind in folders, in order of their names."""
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in KNOWN)
            yield from inside or [path]  # an empty folder is told as a file that is not there
        else:
            yield path


def _example(line: str) -> TextExample:
    """A text; or a question, a tab, and the text that answers it."""
    first, _, second = line.partition("\t")
    return TextExample(split_words(first), split_words(second))


def _typed(file: Path, rows: Array, entry: InputDescription) -> Tensor:
    wanted = entry.normalisation.dtype
    if entry.is_image and (rows.dtype == np.uint8) != (wanted == "uint8"):
        raise DataError(f"{file} holds {rows.dtype}, and the network was trained on images of {wanted}")
    try:
        check_finite("inputs", rows)
    except MtlrunError as error:
        raise DataError(f"{file}: {error}") from error
    return torch.from_numpy(rows.astype(getattr(np, wanted), copy=False))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
