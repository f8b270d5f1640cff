"""`model.json`: all that a trained network needs to know of its data, so that it can be used without them.

With the configuration and a checkpoint beside it the network is built again; the file says what goes in (shape, type,
normalisation as used, vocabulary) and what comes out (tasks with their kinds, names, thresholds and scales).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtlrun.data.source import Normalisation, Source, Splits
from mtlrun.data.text.source import TokenSource
from mtlrun.data.text.vocabulary import FolderTokenizer, Vocabulary, WordVocabulary
from mtlrun.errors import ResumeError
from mtlrun.inference.columns import SHOWN, taken
from mtlrun.lines import shortened
from mtlrun.runs.jsonfile import read_json, write_json
from mtlrun.tasks.base import Task
from mtlrun.types import InputColumn
from mtlrun.version import installed_version

FILE, WORDS = "model.json", "vocabulary.json"
FORMAT = 1
_PREPARED = ("normalisation", "prepare")


@dataclass(frozen=True)
class InputDescription:
    """Rows of one training source.

    name: of the source. tasks: that its rows are inputs for. input_shape: (C, H, W), (D,) or (L, 2) for texts.
    vocabulary: for texts {'words': file, 'lower': ...} or {'tokenizer': folder, 'size': ...}. told: False where the
    source prepares its inputs itself, and does not say how. columns: of a table, how its rows are encoded.
    """

    name: str
    tasks: tuple[str, ...]
    input_shape: tuple[int, ...]
    normalisation: Normalisation
    vocabulary: Mapping[str, Any] | None = None
    told: bool = True
    columns: tuple[InputColumn, ...] = ()

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of a row as it is given: of a table a number for each column, see `mtlrun.inference.columns`."""
        return (len(taken(self.columns)),) if self.columns else self.input_shape

    @property
    def dtype(self) -> str:
        """Of the numbers in a row as it is given."""
        return "float64" if self.columns else self.normalisation.dtype

    @property
    def is_text(self) -> bool:
        return self.vocabulary is not None

    @property
    def is_image(self) -> bool:
        return len(self.input_shape) == 3

    def __str__(self) -> str:
        """What to give, for messages."""
        if self.is_text:
            return "a text"
        if self.is_image:
            channels, height, width = self.input_shape
            return f"an image of {channels} x {height} x {width} ({self.normalisation.dtype})"
        if self.columns:
            return f"a row with the columns {shortened([column.name for column in taken(self.columns)], SHOWN)}"
        return f"{'x'.join(map(str, self.input_shape))} numbers"


@dataclass(frozen=True)
class ModelDescription:
    """The inputs, and per task the arguments that it is made from and the constants that it has learned."""

    inputs: tuple[InputDescription, ...]
    kinds: Mapping[str, Mapping[str, Any]]
    constants: Mapping[str, Mapping[str, Any]]


def describe(splits: Splits, tasks: Mapping[str, Task]) -> ModelDescription:
    """What training used.

    Args:
        splits: with the sources of training and `kinds`.
        tasks: fitted, by name.
    """
    inputs = tuple(_of_source(source, tasks) for source in splits.train)
    return ModelDescription(inputs, splits.kinds, {name: task.constants() for name, task in tasks.items()})


def write(folder: Path, splits: Splits, tasks: Mapping[str, Task]) -> None:
    """Put `model.json`, and the words of a vocabulary, into the folder of a run."""
    made = describe(splits, tasks)
    words = next((w for w in map(_words_of, splits.train) if w is not None), None)
    if words is not None:
        write_json(folder / WORDS, {"words": words})
    write_json(folder / FILE, content_of(made, tasks))


def content_of(made: ModelDescription, tasks: Mapping[str, Task]) -> dict[str, Any]:
    """The content of `model.json` for these tasks."""
    return {
        "format": FORMAT,
        "mtlrun": installed_version(),
        "inputs": [asdict(entry) for entry in made.inputs],
        "tasks": {name: _of_task(task, made) for name, task in tasks.items()},
    }


def read(folder: Path) -> ModelDescription | None:
    """What `write` put there; None where it is absent, as in runs of older versions.

    Raises:
        ResumeError: if it is damaged, or of a later version.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    content = read_json(path)
    if content is None or content.get("format") != FORMAT:
        raise ResumeError(f"{path} is damaged, or another version of mtlrun has written it")
    try:
        return parsed(content)
    except (KeyError, TypeError) as error:
        raise ResumeError(f"{path} is damaged: {type(error).__name__} {error}") from error


def parsed(content: Mapping[str, Any]) -> ModelDescription:
    """The description in the content of a `model.json`; KeyError or TypeError for another one."""
    tasks = content["tasks"]
    kinds, constants = ({name: dict(tasks[name][key]) for name in tasks} for key in ("kind", "constants"))
    return ModelDescription(tuple(_input(entry) for entry in content["inputs"]), kinds, constants)


def vocabulary_of(entry: InputDescription, folder: Path) -> Vocabulary:
    """What turns words into numbers.

    Raises:
        ResumeError: if its file is absent.
        DataError, ConfigError: if the folder of its tokenizer is.
    """
    assert entry.vocabulary is not None
    if "tokenizer" in entry.vocabulary:
        return FolderTokenizer(entry.vocabulary["tokenizer"], entry.vocabulary["size"])
    content = read_json(folder / WORDS)
    if content is None:
        raise ResumeError(f"no {folder / WORDS}: the words that the network knows; copy it from the run folder")
    return WordVocabulary.of(content["words"], entry.vocabulary["lower"])


def _of_source(source: Source, tasks: Mapping[str, Task]) -> InputDescription:
    chosen = tuple(task for task in source.tasks if task in tasks)
    vocabulary = _vocabulary(source.vocabulary) if isinstance(source, TokenSource) else None
    shape, normalisation = tuple(source.input_shape), source.normalisation()
    return InputDescription(
        source.name, chosen, shape, normalisation, vocabulary, _tells(type(source)), tuple(source.columns)
    )


def _tells(kind: type[Source]) -> bool:
    """Whether `normalisation` belongs to `prepare`: the class that defines it defines the other, or comes before."""
    place = {name: next(at for at, base in enumerate(kind.__mro__) if name in vars(base)) for name in _PREPARED}
    return place["normalisation"] <= place["prepare"]


def _vocabulary(vocabulary: Vocabulary) -> dict[str, Any] | None:
    if isinstance(vocabulary, FolderTokenizer):
        return {"tokenizer": vocabulary.folder, "size": vocabulary.size}
    return {"words": WORDS, "lower": vocabulary.lower} if isinstance(vocabulary, WordVocabulary) else None


def _words_of(source: Source) -> list[str] | None:
    vocabulary = source.vocabulary if isinstance(source, TokenSource) else None
    return [*vocabulary.numbers] if isinstance(vocabulary, WordVocabulary) else None


def _of_task(task: Task, made: ModelDescription) -> dict[str, Any]:
    """The kind with its arguments comes back as the task; names are there for other programs that read the file."""
    names: Sequence[str] = getattr(task, "classes", getattr(task, "labels", ()))
    found: dict[str, Any] = {"kind": made.kinds[task.name], "constants": made.constants[task.name]}
    if names:
        found["names"] = [*names]
    return found | {"judge": task.judge, **task.reading()}


def _input(entry: Mapping[str, Any]) -> InputDescription:
    fields = {**entry, "tasks": tuple(entry["tasks"]), "input_shape": tuple(entry["input_shape"])}
    columns = tuple(InputColumn(**{**column, "values": tuple(column["values"])}) for column in entry.get("columns", ()))
    return InputDescription(**{**fields, "normalisation": Normalisation(**entry["normalisation"]), "columns": columns})
