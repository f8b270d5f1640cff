"""`USE.md`: how to run an exported network, in a few lines that work as they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtlrun.data.tables.text_types import ANSWERS, NO_VALUE
from mtlrun.inference.columns import DATES, GAPS, NUMBERS, NUMERIC_WORDS, TakenColumn, taken
from mtlrun.inference.description import InputDescription
from mtlrun.lines import shortened
from mtlrun.types import NUMBER

TYPES = {"float32": "np.float32", "float64": "np.float64", "uint8": "np.uint8", "int64": "np.int64"}
SHOWN = 8
"""Words of a column that the page names."""
YOURS = '[*csv.DictReader(open("rows.csv", newline="", encoding="utf-8-sig"))]'


def usage(formats: Sequence[str], names: Sequence[str], entry: InputDescription, content: dict[str, Any]) -> str:
    """The page."""
    says = "outputs of the heads" if content["raw"] else "probabilities, numbers in the targets' own unit, or boxes"
    lines = [
        "# Use this network",
        "",
        *(_columns(entry) if entry.columns else _inputs(entry)),
        "",
        f"Outputs, in this order, {says}:",
        "",
        *(f"* `{name}`{_named(content['tasks'][name])}" for name in names),
        "",
        "`model.json` says the same for programs, and `check.json` how far each file is from PyTorch.",
    ]
    if entry.columns:
        lines += ["", "From cells, as a CSV file has them, to `inputs`:", "", "```python", *_encoding(entry), "```"]
    if "onnx" in formats:
        lines += ["", "```python", *_onnx(entry), "```"]
    if "pt2" in formats:
        lines += ["", "```python", *_pt2(entry), "```"]
    return "\n".join([*lines, ""])


def takes_of(entry: InputDescription) -> dict[str, Any]:
    """What `model.json` says of the rows of a table: columns, how a cell becomes a number, and a row to try."""
    numbers = {column.name: column for column in entry.columns if column.kind == NUMBER}
    columns = [{"name": column.name, "kind": column.kind, "values": [*column.values]} for column in taken(entry.columns)]
    example = {
        column.name: next((value for value in column.values if value), "")
        if column.is_words
        else ("" if column.kind != NUMBERS else repr(numbers[column.name].fill))
        for column in taken(entry.columns)
    }
    return {"columns": columns, "no_value": sorted(NO_VALUE), "truth_values": dict(ANSWERS), "example": example}


def _inputs(entry: InputDescription) -> list[str]:
    shape = ", ".join(map(str, entry.row_shape))
    if entry.is_text:
        return [
            f"Inputs: [B, {shape}] of {entry.dtype}: the numbers of a text's words in the vocabulary, and 1 for each "
            "place that is taken. `mtlrun predict` reads texts."
        ]
    return [f"Inputs: [B, {shape}] of {entry.dtype}, as the files of training had them; the normalisation is inside."]


def _columns(entry: InputDescription) -> list[str]:
    return [
        f"Inputs: [B, {len(taken(entry.columns))}] of float64, a column of the table each, in this order; filling, "
        "scaling and embedding are inside:",
        "",
        *(f"* `{column.name}`: {_said(column)}" for column in taken(entry.columns)),
    ]


def _said(column: TakenColumn) -> str:
    if column.is_words:
        words = shortened([repr(value) for value in column.values], SHOWN)
        return f"the place of its word among {words}, from 1 on; 0 for any other"
    if column.kind == GAPS:
        return "NaN for no value, any number for one"
    return {NUMBERS: "the number", DATES: "days since 1970"}[column.kind] + "; NaN for no value"


def _named(task: dict[str, Any]) -> str:
    kind = str(task["kind"]["_target_"]).rpartition(".")[2]
    names, unit = task.get("names"), task.get("unit")
    return f": {kind}" + (f" of {', '.join(names)}" if names else "") + (f" in {unit}" if unit else "")


def _encoding(entry: InputDescription) -> list[str]:
    """Lines that end with `inputs`."""
    kinds = {column.kind for column in taken(entry.columns)}
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
        "        return float(\"nan\")",
        *(['    if column["kind"] == "gaps":', "        return 0"] if GAPS in kinds else []),
        *(dates if DATES in kinds else []),
        '    truth = takes["truth_values"].get(cell.lower())',
        "    return float(cell) if truth is None else truth",
        "",
        f'rows = [takes["example"]]  # yours: {YOURS}',
        'inputs = [[number(column, row[column["name"]]) for column in takes["columns"]] for row in rows]',
        "inputs = np.array(inputs, dtype=np.float64)",
    ]


def _onnx(entry: InputDescription) -> list[str]:
    shape = ", ".join(map(str, entry.row_shape))
    rows = [] if entry.columns else [f"inputs = np.zeros((2, {shape}), {TYPES[entry.dtype]})  # your rows"]
    return [
        "import json",
        "import numpy as np",
        "import onnxruntime",
        "",
        'session = onnxruntime.InferenceSession("model.onnx")',
        *rows,
        'answers = dict(zip([output.name for output in session.get_outputs()], session.run(None, {"inputs": inputs})))',
        'tasks = json.loads(session.get_modelmeta().custom_metadata_map["mtlrun.model"])["tasks"]',
        "for task, answer in answers.items():",
        '    print(task, answer.shape, tasks[task].get("names", ""))',
    ]


def _pt2(entry: InputDescription) -> list[str]:
    shape = ", ".join(map(str, entry.row_shape))
    rows = "torch.from_numpy(inputs)" if entry.columns else f"torch.zeros(2, {shape}, dtype=torch.{entry.dtype})"
    return [
        "import torch",
        "",
        'network = torch.export.load("model.pt2").module()',
        f"answers = network({rows})",
    ]
