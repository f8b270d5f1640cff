"""`mtlrun predict model.onnx`: an exported network with what its file says of inputs and tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtlrun.data.text.vocabulary import Vocabulary, WordVocabulary
from mtlrun.errors import ConfigError, DataError, choose
from mtlrun.inference.description import InputDescription, parsed
from mtlrun.inference.predict import Predictor
from mtlrun.inference.reading import InputReader
from mtlrun.inference.rebuild import fitted_tasks
from mtlrun.tasks.base import Task

MODEL, WORDS = "mtlrun.model", "mtlrun.words"
"""Keys of the file's metadata: the content of model.json, and the words of a vocabulary."""


class OnnxNetwork:
    """Answers by onnxruntime.

    Args:
        session: of onnxruntime, on the file.
        entry: its inputs.
        tasks: by name, in the order of the outputs.
    """

    batch_size = 256

    def __init__(self, session: Any, entry: InputDescription, tasks: dict[str, Task]) -> None:
        self._session, self._entry, self.tasks = session, entry, tasks

    def answers(self, inputs: Tensor, source: str | None = None) -> dict[str, Tensor]:
        """Per task [B, ...]."""
        names = [*self.tasks]
        found = self._session.run(names, {"inputs": inputs.numpy()})
        return {name: torch.from_numpy(values) for name, values in zip(names, found)}


def onnx_predictor(path: Path, tasks: Sequence[str] | None = None) -> Predictor:
    """Of a file that `mtlrun export` has written, without --raw.

    Raises:
        ConfigError: if onnxruntime is absent, or a task is not in the file.
        DataError: if the file is another one.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError("model.onnx needs onnxruntime: pip install 'mtlrun[export]'") from error
    if not path.is_file():
        raise DataError(f"no file {path}")
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        known = session.get_modelmeta().custom_metadata_map
        content = json.loads(known[MODEL])
    except Exception as error:  # onnxruntime has classes of its own for each kind of damage
        raise DataError(f"{path} is no ONNX file that mtlrun export has written ({type(error).__name__})") from error
    if content["raw"]:
        raise DataError(f"{path} was exported with --raw, and gives no answers: export it without")
    description = parsed(content)
    if any(entry.columns for entry in description.inputs) and "takes" not in content:
        raise DataError(f"{path} is of an older version, which took rows of a table in another form: export it again")
    made = fitted_tasks(description)
    wanted = [choose(task, made, "task") for task in tasks] if tasks is not None else [*made]
    (entry,) = description.inputs
    network = OnnxNetwork(session, entry, {task: made[task] for task in made if task in wanted})
    words, text = _vocabularies(entry, known), content.get("text", ())
    return Predictor(network, InputReader([entry], words, content["array"], content["channels"], text))


def _vocabularies(entry: InputDescription, known: dict[str, str]) -> dict[str, Vocabulary]:
    if entry.vocabulary is None:
        return {}
    if WORDS not in known:
        raise DataError("the network reads the numbers of a tokenizer: predict with the run folder")
    return {entry.name: WordVocabulary.of(json.loads(known[WORDS]), entry.vocabulary["lower"])}
