"""What `mtlrun export` writes: the graph in each format, what it takes and gives, how far it is from PyTorch."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtlrun.atomic import whole_folder
from mtlrun.config.saved import load_config
from mtlrun.data.text.vocabulary import SPECIAL, WordVocabulary
from mtlrun.errors import ConfigError, choose
from mtlrun.inference.description import WORDS as VOCABULARY
from mtlrun.inference.description import InputDescription, ModelDescription, content_of, read, vocabulary_of
from mtlrun.inference.graph import (
    Graph,
    check_alike,
    differences,
    example,
    latency,
    quiet,
    recorded,
    refused,
    to_onnx,
)
from mtlrun.inference.onnx_network import MODEL, WORDS
from mtlrun.inference.reading import text_columns
from mtlrun.inference.rebuild import trained_network
from mtlrun.inference.usage import usage
from mtlrun.inference.usage_inputs import takes_of
from mtlrun.runs.jsonfile import write_json
from mtlrun.training.settings import Precision

FORMATS = ("pt2", "onnx", "safetensors")
TRACED = 3
COUNTERS = "num_batches_tracked"
"""Of batch normalisation: only training reads them, and who loads the weights expects them."""
DIFFERENCE = "relative to the largest value; of numbers in a unit, to the largest distance from their mean in training"


@dataclass
class Exported:
    """What was written for one source: files, numbers of parameters, milliseconds of a row in PyTorch."""

    folder: Path
    files: list[Path]
    parameters: int
    milliseconds: float
    difference: float


def export(
    run: Path, folder: Path, formats: Sequence[str], raw: bool, tasks: Sequence[str] | None, checkpoint: str = "best"
) -> list[Exported]:
    """Write a run's network for other programs; one folder for each source of inputs that it has.

    Files of an export before it that are not written anew go away: `model.json` and `check.json` do not tell of them.

    Args:
        run: its folder.
        folder: where the files go.
        formats: some of FORMATS.
        raw: outputs of the heads in place of probabilities, units and boxes.
        tasks: that are kept; None for all.
        checkpoint: 'best' or 'last'.

    Raises:
        ConfigError: for a network, a format or a task that cannot be exported; nothing half-right is written.
        ResumeError: for a run that cannot be loaded.
    """
    for word in formats:
        choose(word, FORMATS, "format")
    description = read(run)
    if description is None:
        raise ConfigError(f"{run} has no model.json (an older version has written it): train it again to export it")
    network = trained_network(run, checkpoint)
    network.precision = Precision.fp32
    if tasks is not None:
        network.keep(tasks)
    entries = [entry for entry in description.inputs if any(task in network.tasks for task in entry.tasks)]
    with whole_folder(folder, [*(f"model.{word}" for word in FORMATS), VOCABULARY]) as unfinished:
        made = []
        for entry in entries:
            name = "" if len(entries) == 1 else entry.name
            written = _write(run, unfinished / name, Graph(network, entry, raw), entry, description, formats)
            made.append(replace(written, folder=folder / name, files=[folder / name / f.name for f in written.files]))
    return made


def _write(
    run: Path,
    folder: Path,
    graph: Graph,
    entry: InputDescription,
    description: ModelDescription,
    formats: Sequence[str],
) -> Exported:
    """One source's files."""
    words = _words(run, entry)
    count = _numbers_of(entry, words)
    slim, program = _slim(graph, example(entry, TRACED, count))
    content = _content(run, graph, entry, description)
    checks: dict[str, Any] = {}
    folder.mkdir(parents=True, exist_ok=True)
    files = [
        _safetensors(folder, slim, content)
        if name == "safetensors"
        else _put(name, folder, program, graph, entry, content, words, checks)
        for name in formats
    ]
    write_json(folder / "model.json", content)
    if words is not None:
        write_json(folder / VOCABULARY, {"words": words})
    write_json(folder / "check.json", {"difference": DIFFERENCE, **checks})
    (folder / "USE.md").write_text(usage(formats, graph.names, entry, content), encoding="utf-8")
    with torch.no_grad():
        row = example(entry, 1, count)
        milliseconds = latency(lambda: graph(row))
    worst = max((value for rows in checks.values() for at in rows.values() for value in at.values()), default=0.0)
    return Exported(folder, files, sum(values.numel() for values in slim.parameters()), milliseconds, worst)


def _put(
    name: str,
    folder: Path,
    program: torch.export.ExportedProgram,
    graph: Graph,
    entry: InputDescription,
    content: dict[str, Any],
    words: list[str] | None,
    checks: dict[str, Any],
) -> Path:
    """Write one format, unless it differs from PyTorch."""
    path, count = folder / f"model.{name}", _numbers_of(entry, words)
    with refused(f"{path.name} cannot be written, or not be read again: "), quiet():
        if name == "pt2":
            torch.export.save(program, str(path), extra_files={"model.json": json.dumps(content)})
            run: Any = torch.export.load(str(path)).module()
        else:
            metadata = {MODEL: json.dumps(content)} | ({WORDS: json.dumps(words)} if words is not None else {})
            to_onnx(program, graph, path, metadata)
            run = _session(path)
        checks[name] = differences(run, graph, entry, count)
    check_alike(checks[name], path.name)
    return path


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError("ONNX is checked with onnxruntime: pip install 'mtlrun[export]'") from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, {"inputs": inputs.numpy()})


def _safetensors(folder: Path, graph: Graph, content: dict[str, Any]) -> Path:
    """The weights by their names in `mtlrun.load(RUN).network().model`."""
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise ConfigError("safetensors is not installed: pip install 'mtlrun[export]'") from error
    path = folder / "model.safetensors"
    tensors = {name: values.detach().clone().contiguous() for name, values in graph.network.model.state_dict().items()}
    save_file(tensors, str(path), metadata={"format": "pt", MODEL: json.dumps(content)})
    return path


def _content(run: Path, graph: Graph, entry: InputDescription, description: ModelDescription) -> dict[str, Any]:
    """`model.json` of the graph: its one source and its tasks, in the order of the outputs."""
    tasks = {name: graph.network.tasks[name] for name in graph.names}
    made = ModelDescription((replace(entry, tasks=tuple(tasks)),), description.kinds, description.constants)
    data = load_config(run).data
    reading: dict[str, Any] = {
        "array": str(data.get("inputs") or "inputs"),
        "channels": str(data.get("channels") or "auto"),
        "text": text_columns(data),
    }
    takes = {"takes": takes_of(entry)} if entry.columns else {}
    return content_of(made, tasks) | takes | reading | {"raw": graph.raw, "run": str(run.resolve())}


def _words(run: Path, entry: InputDescription) -> list[str] | None:
    if not entry.is_text:
        return None
    vocabulary = vocabulary_of(entry, run)
    return [*vocabulary.numbers] if isinstance(vocabulary, WordVocabulary) else None


def _numbers_of(entry: InputDescription, words: list[str] | None) -> int:
    """How many numbers a token can have; 0 where there are none."""
    vocabulary = entry.vocabulary or {}
    return len(words) + SPECIAL if words is not None else int(vocabulary.get("size", 0))


def _unused(graph: Graph, program: torch.export.ExportedProgram) -> list[str]:
    """Names of parameters and buffers that the record does not read: of heads and experts that no kept task needs."""
    inputs = zip(program.graph_signature.input_specs, program.graph.find_nodes(op="placeholder"))
    read = {spec.target for spec, node in inputs if spec.target is not None and node.users}
    known = {
        **dict(graph.named_parameters(remove_duplicate=False)),
        **dict(graph.named_buffers(remove_duplicate=False)),
    }
    kept = {id(values) for name, values in known.items() if name in read}  # one of several names of shared layers
    return [name for name in program.state_dict if id(known[name]) not in kept and not name.endswith(COUNTERS)]


def _slim(graph: Graph, rows: Tensor) -> tuple[Graph, torch.export.ExportedProgram]:
    """The graph and its record without what the record does not read; the graph that is given stays as it is."""
    program = recorded(graph, rows)
    unused = _unused(graph, program)
    if not unused:
        return graph, program
    slim = _without(graph, unused)
    try:
        return slim, recorded(slim, rows)
    except ConfigError:  # a scheme may look at the parameters of all tasks, though it computes with some
        return graph, program


def _without(graph: Graph, names: Sequence[str]) -> Graph:
    """A copy that does not have these parameters and buffers, so that no file holds them."""
    made = copy.deepcopy(graph)
    for name in names:
        path, _, last = name.rpartition(".")
        if hasattr(made.get_submodule(path), last):  # a shared layer has several names
            delattr(made.get_submodule(path), last)
    return made
