"""The part of `USE.md` about what goes in: in words, and as lines from a file to the array `inputs`."""

from __future__ import annotations

from typing import Any

from mtlrun.data.readers.squad import WORD
from mtlrun.data.tables.text_types import ANSWERS, NO_VALUE
from mtlrun.data.text.vocabulary import SPECIAL, WordVocabulary
from mtlrun.inference.columns import DATES, GAPS, NUMBERS, NUMERIC_WORDS, TakenColumn, taken
from mtlrun.inference.description import WORDS, InputDescription
from mtlrun.lines import shortened
from mtlrun.types import NUMBER

TYPES = {"float32": "np.float32", "float64": "np.float64", "uint8": "np.uint8", "int64": "np.int64"}
SHOWN = 8
"""Words of a column that the page names."""
YOURS = '[*csv.DictReader(open("rows.csv", newline="", encoding="utf-8-sig"))]'
SENTENCE = "This is a text ."


def takes_of(entry: InputDescription) -> dict[str, Any]:
    """What `model.json` says of the rows of a table: columns, how a cell becomes a number, and a row to try."""
    numbers = {column.name: column for column in entry.columns if column.kind == NUMBER}
    columns = [
        {"name": column.name, "kind": column.kind, "values": [*column.values]} for column in taken(entry.columns)
    ]
    example = {
        column.name: next((value for value in column.values if value), "")
        if column.is_words
        else ("" if column.kind != NUMBERS else repr(numbers[column.name].fill))
        for column in taken(entry.columns)
    }
    return {"columns": columns, "no_value": sorted(NO_VALUE), "truth_values": dict(ANSWERS), "example": example}


def inputs_in_words(entry: InputDescription) -> list[str]:
    """What the network takes."""
    shape = ", ".join(map(str, entry.row_shape))
    if entry.columns:
        return [
            f"Inputs: [B, {shape}] of float64, a column of the table each, in this order; filling, scaling and "
            "embedding are inside:",
            "",
            *(f"* `{column.name}`: {_said(column)}" for column in taken(entry.columns)),
        ]
    if entry.is_text:
        return [
            f"Inputs: [B, {shape}] of {entry.dtype}: per token its number in the vocabulary, and 1 for the first text, "
            "2 for a second one, 0 for padding."
        ]
    return [f"Inputs: [B, {shape}] of {entry.dtype}, as the files of training had them; the normalisation is inside."]


def inputs_in_lines(entry: InputDescription) -> list[str]:
    """Lines of Python that end with the array `inputs`."""
    if entry.columns:
        return _cells({column.kind for column in taken(entry.columns)})
    if entry.is_text and entry.vocabulary is not None and "words" in entry.vocabulary:
        return _texts(entry)
    if entry.is_image and entry.dtype == "uint8" and entry.row_shape[0] in (1, 3):
        return _pictures(*entry.row_shape)
    shape = ", ".join(map(str, entry.row_shape))
    return ["import numpy as np", "", f"inputs = np.zeros((2, {shape}), {TYPES[entry.dtype]})  # your rows"]


def _said(column: TakenColumn) -> str:
    if column.is_words:
        words = shortened([repr(value) for value in column.values], SHOWN)
        return f"the place of its word among {words}, from 1 on; 0 for any other"
    if column.kind == GAPS:
        return "NaN for no value, any number for one"
    return {NUMBERS: "the number", DATES: "days since 1970"}[column.kind] + "; NaN for no value"


def _cells(kinds: set[str]) -> list[str]:
    """From the cells of a CSV file."""
    dates = [
        '    if column["kind"] == "date":',
        "        moment = datetime.fromisoformat(cell)",
        "        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)",
        "        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(days=1)",
    ]
    numeric = [
        '    if column["kind"] == "numbers as words" and not missing:',
        "        cell = str(int(float(cell))) if float(cell) % 1 == 0 else repr(float(cell))",
    ]
    return [
        "import csv",
        "import json",
        *(["from datetime import UTC, datetime, timedelta"] if DATES in kinds else []),
        "import numpy as np",
        "",
        'takes = json.load(open("model.json", encoding="utf-8"))["takes"]',
        "",
        "def number(column, cell):",
        '    cell, missing = cell.strip(), cell.strip() in takes["no_value"]',
        *(numeric if NUMERIC_WORDS in kinds else []),
        '    if column["kind"].endswith("words"):',
        '        cell = "" if missing else cell',
        '        return 1 + column["values"].index(cell) if cell in column["values"] else 0',
        "    if missing:",
        '        return float("nan")',
        *(['    if column["kind"] == "gaps":', "        return 0"] if GAPS in kinds else []),
        *(dates if DATES in kinds else []),
        '    truth = takes["truth_values"].get(cell.lower())',
        "    return float(cell) if truth is None else truth",
        "",
        f'rows = [takes["example"]]  # yours: {YOURS}',
        'inputs = [[number(column, row[column["name"]]) for column in takes["columns"]] for row in rows]',
        "inputs = np.array(inputs, dtype=np.float64)",
    ]


def _texts(entry: InputDescription) -> list[str]:
    """From lines of text: a question and the text that answers it have a tab between them."""
    length, vocabulary = entry.row_shape[0], WordVocabulary
    lower = entry.vocabulary is not None and entry.vocabulary["lower"]
    word = "word.lower()" if lower else "word"
    return [
        "import json",
        "import re",
        "import numpy as np",
        "",
        f'words = json.load(open("{WORDS}", encoding="utf-8"))["words"]',
        f"known = {{word: {SPECIAL} + place for place, word in enumerate(words)}}",
        "",
        "def tokens(line):",
        f"    found, parts = [({vocabulary.start}, 1)], [part for part in line.split('\\t', 1) if part.strip()]",
        "    for segment, part in enumerate(parts, start=1):",
        f"        room = {length // 2} if segment < len(parts) else {length}",
        f"        numbers = [known.get({word}, {vocabulary.unknown}) for word in re.findall(r'{WORD.pattern}', part)]",
        f"        numbers = [*numbers[: room - 1 - len(found)], {vocabulary.separator}]",
        "        found += [(number, segment) for number in numbers]",
        f"    return found + [({vocabulary.padding}, 0)] * ({length} - len(found))",
        "",
        f'lines = ["{SENTENCE}"]  # yours; a question and its text with a tab between them',
        "inputs = np.array([tokens(line) for line in lines], dtype=np.int64)",
    ]


def _pictures(channels: int, height: int, width: int) -> list[str]:
    """From files of pictures with 8 bits a channel."""
    mode, turned = ("L", "[None]") if channels == 1 else ("RGB", ".transpose(2, 0, 1)")
    return [
        "import numpy as np",
        "from PIL import Image, ImageOps",
        "",
        "def pixels(path):",
        "    with Image.open(path) as file:",
        f'        file.draft("{mode}", ({width}, {height}))',
        f'        picture = ImageOps.exif_transpose(file).convert("{mode}")',
        f"        picture = picture.resize(({width}, {height}), Image.Resampling.BILINEAR)",
        f"    return np.asarray(picture){turned}",
        "",
        f"inputs = np.zeros((2, {channels}, {height}, {width}), np.uint8)"
        '  # yours: np.stack([pixels(path) for path in ["one.png"]])',
    ]
