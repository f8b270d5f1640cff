"""`USE.md`: how to run an exported network, in a few lines that work as they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtlrun.inference.description import InputDescription
from mtlrun.inference.usage_inputs import inputs_in_lines, inputs_in_words


def usage(formats: Sequence[str], names: Sequence[str], entry: InputDescription, content: dict[str, Any]) -> str:
    """The page: its lines of Python run one after the other, in the folder of the files."""
    says = "outputs of the heads" if content["raw"] else "probabilities, numbers in the targets' own unit, or boxes"
    lines = [
        "# Use this network",
        "",
        *inputs_in_words(entry),
        "",
        f"Outputs, in this order, {says}:",
        "",
        *(f"* `{name}`{_named(content['tasks'][name])}" for name in names),
        "",
        "`model.json` says the same for programs, and `check.json` how far each file is from PyTorch.",
    ]
    if {"onnx", "pt2"} & {*formats}:
        lines += [
            "",
            "In this folder, one after the other; an image needs Pillow, `.onnx` onnxruntime, `.pt2` PyTorch:",
        ]
        lines += ["", *_block(inputs_in_lines(entry))]
    if "onnx" in formats:
        lines += ["", *_block(_onnx())]
    if "pt2" in formats:
        lines += ["", *_block(_pt2(names))]
    return "\n".join([*lines, ""])


def _block(lines: Sequence[str]) -> list[str]:
    return ["```python", *lines, "```"]


def _named(task: dict[str, Any]) -> str:
    kind = str(task["kind"]["_target_"]).rpartition(".")[2]
    names, unit = task.get("names"), task.get("unit")
    return f": {kind}" + (f" of {', '.join(names)}" if names else "") + (f" in {unit}" if unit else "")


def _onnx() -> list[str]:
    return [
        "import json",
        "import onnxruntime",
        "",
        'session = onnxruntime.InferenceSession("model.onnx")',
        'answers = dict(zip([output.name for output in session.get_outputs()], session.run(None, {"inputs": inputs})))',
        'tasks = json.loads(session.get_modelmeta().custom_metadata_map["mtlrun.model"])["tasks"]',
        "for task, answer in answers.items():",
        '    print(task, answer.shape, tasks[task].get("names", ""))',
    ]


def _pt2(names: Sequence[str]) -> list[str]:
    return [
        "import torch",
        "",
        'network = torch.export.load("model.pt2").module()',
        "with torch.no_grad():",
        f"    answers = dict(zip({[*names]}, network(torch.from_numpy(inputs))))",
    ]
