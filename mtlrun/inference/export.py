"""What `mtlrun export` writes: the graph in each format, what it takes and gives, how far it is from PyTorch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mtlrun.config.saved import load_config
from mtlrun.data.text.vocabulary import WordVocabulary
from mtlrun.errors import ConfigError, choose
from mtlrun.inference.description import InputDescription, ModelDescription, content_of, read, vocabulary_of
from mtlrun.inference.graph import Graph, check_alike, differences, example, latency, recorded, to_onnx
from mtlrun.inference.onnx_network import MODEL, WORDS
from mtlrun.inference.reading import text_columns
from mtlrun.inference.rebuild import trained_network
from mtlrun.inference.usage import usage
from mtlrun.runs.jsonfile import write_json
from mtlrun.training.settings import Precision

FORMATS = ("pt2", "onnx", "safetensors")
TRACED = 3


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
    made = []
    for entry in entries:
        graph = Graph(network, entry, raw)
        to = folder if len(entries) == 1 else folder / entry.name
        made.append(_write(run, to, graph, entry, description, formats))
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
    program = recorded(graph, example(entry, TRACED, len(words or ()) + 4))
    content = _content(run, graph, entry, description)
    checks: dict[str, Any] = {}
    folder.mkdir(parents=True, exist_ok=True)
    files = [_put(name, folder, program, graph, entry, content, words, checks) for name in formats]
    write_json(folder / "model.json", content)
    write_json(folder / "check.json", {"tolerance": "relative to the largest value", **checks})
    (folder / "USE.md").write_text(usage(formats, graph.names, entry, content), encoding="utf-8")
    with torch.no_grad():
        row = example(entry, 1, len(words or ()) + 4)
        milliseconds = latency(lambda: graph(row))
    worst = max((value for rows in checks.values() for at in rows.values() for value in at.values()), default=0.0)
    return Exported(folder, files, _parameters(program), milliseconds, worst)


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
    path, count = folder / f"model.{name}", len(words or ()) + 4
    if name == "safetensors":
        return _safetensors(path, graph, content)
    unfinished = path.with_name(f"unfinished.{name}")
    try:
        if name == "pt2":
            torch.export.save(program, str(unfinished), extra_files={"model.json": json.dumps(content)})
            run: Any = torch.export.load(str(unfinished)).module()
        else:
            metadata = {MODEL: json.dumps(content)} | ({WORDS: json.dumps(words)} if words is not None else {})
            to_onnx(program, graph, unfinished, metadata)
            run = _session(unfinished)
        checks[name] = differences(run, graph, entry, count)
        check_alike(checks[name], path.name)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError("ONNX is checked with onnxruntime: pip install 'mtlrun[export]'") from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, {"inputs": inputs.numpy()})


def _safetensors(path: Path, graph: Graph, content: dict[str, Any]) -> Path:
    """The weights by their names in `mtlrun.load(RUN).network().model`."""
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise ConfigError("safetensors is not installed: pip install 'mtlrun[export]'") from error
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
    return content_of(made, tasks) | reading | {"raw": graph.raw, "run": str(run.resolve())}


def _words(run: Path, entry: InputDescription) -> list[str] | None:
    if not entry.is_text:
        return None
    vocabulary = vocabulary_of(entry, run)
    return [*vocabulary.numbers] if isinstance(vocabulary, WordVocabulary) else None


def _parameters(program: torch.export.ExportedProgram) -> int:
    """Numbers in the parameters that the graph uses: those of experts and heads that no task needs are left out."""
    used = {
        spec.target
        for spec, node in zip(program.graph_signature.input_specs, program.graph.find_nodes(op="placeholder"))
        if spec.target is not None and node.users
    }
    return sum(values.numel() for name, values in program.named_parameters() if name in used)
