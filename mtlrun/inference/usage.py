"""`USE.md`: how to run an exported network, in a few lines that work as they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtlrun.inference.description import InputDescription

TYPES = {"float32": "np.float32", "float64": "np.float64", "uint8": "np.uint8", "int64": "np.int64"}


def usage(formats: Sequence[str], names: Sequence[str], entry: InputDescription, content: dict[str, Any]) -> str:
    """The page."""
    shape, dtype = ", ".join(map(str, entry.input_shape)), entry.normalisation.dtype
    says = "outputs of the heads" if content["raw"] else "probabilities, numbers in the targets' own unit, or boxes"
    lines = [
        "# Use this network",
        "",
        f"Inputs: [B, {shape}] of {dtype}, as the files of training had them; the normalisation is inside.",
        f"Outputs, in this order, {says}:",
        "",
        *(f"* `{name}`{_named(content['tasks'][name])}" for name in names),
        "",
        "`model.json` says the same for programs, and `check.json` how far each file is from PyTorch.",
    ]
    if "onnx" in formats:
        lines += ["", "```python", *_onnx(entry), "```"]
    if "pt2" in formats:
        lines += ["", "```python", *_pt2(entry), "```"]
    return "\n".join([*lines, ""])


def _named(task: dict[str, Any]) -> str:
    kind = str(task["kind"]["_target_"]).rpartition(".")[2]
    names = task.get("names")
    return f": {kind}" + (f" of {', '.join(names)}" if names else "")


def _onnx(entry: InputDescription) -> list[str]:
    shape = ", ".join(map(str, entry.input_shape))
    return [
        "import json",
        "import numpy as np",
        "import onnxruntime",
        "",
        'session = onnxruntime.InferenceSession("model.onnx")',
        f"inputs = np.zeros((2, {shape}), {TYPES[entry.normalisation.dtype]})  # your rows",
        'answers = dict(zip([output.name for output in session.get_outputs()], session.run(None, {"inputs": inputs})))',
        'tasks = json.loads(session.get_modelmeta().custom_metadata_map["mtlrun.model"])["tasks"]',
        "for task, answer in answers.items():",
        '    print(task, answer.shape, tasks[task].get("names", ""))',
    ]


def _pt2(entry: InputDescription) -> list[str]:
    shape = ", ".join(map(str, entry.input_shape))
    return [
        "import torch",
        "",
        'network = torch.export.load("model.pt2").module()',
        f"answers = network(torch.zeros(2, {shape}, dtype=torch.{entry.normalisation.dtype}))",
    ]
