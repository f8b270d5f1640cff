"""A trained network scored on rows that it was not made for: other data of the same tasks, prepared as in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from mtlrun.config.compose import compose
from mtlrun.config.saved import change, load_config
from mtlrun.data.array_cache import cache_folder
from mtlrun.data.arrays.encoded_shards import KEPT
from mtlrun.data.arrays.inputs import HeldInputs, MappedInputs
from mtlrun.data.arrays.npy_files import read_folder
from mtlrun.data.arrays.shards import shards_of
from mtlrun.data.infer import infer_labels
from mtlrun.data.label_kinds import KINDS
from mtlrun.data.readers.npz import read_table
from mtlrun.data.source import Normalisation, Source, Splits
from mtlrun.data.text.source import TokenSource
from mtlrun.errors import DataError, ResumeError
from mtlrun.inference.description import InputDescription, ModelDescription, read, vocabulary_of
from mtlrun.inference.new_rows import table_rows, text_rows
from mtlrun.inference.new_shards import shard_rows
from mtlrun.inference.new_words import word_rows
from mtlrun.inference.reading import OWN_TEXTS, named_texts, text_columns
from mtlrun.inference.rebuild import trained_network
from mtlrun.inference.trained import Prepare, TrainedNetwork
from mtlrun.instantiate import instantiate
from mtlrun.runs.reader import Run
from mtlrun.tasks.base import Task
from mtlrun.training.devices import resolve
from mtlrun.training.evaluate import Evaluator, Scores
from mtlrun.training.settings import Device
from mtlrun.types import AnswerTexts

ARRAYS = "mtlrun.data.sets.arrays.load"
"""The data of one's own, of which a file of test rows is enough."""


def evaluate_on(run: Path, words: Sequence[str], checkpoint: str, split: str) -> Scores:
    """Scores of a run on other data.

    Args:
        run: its folder; nothing of its own data is read.
        words: `data.KEY=VALUE`, and `data=NAME` first if the kind of data changes.
        checkpoint: 'best' or 'last'.
        split: 'test' or 'val', of the other data.

    Raises:
        ResumeError: if the run is of a version that has not noted how its data were prepared.
        DataError: if the data are of another form, or have none of the tasks.
        ConfigError: for a setting that does not exist.
    """
    description = read(run)
    if description is None:
        raise ResumeError(f"{run} has no model.json (an older version has written it): new data cannot be prepared")
    config = load_config(run)
    device = resolve(Device(config.trainer.device))
    network = trained_network(run, checkpoint, device)
    found, inferred = _sources(run, config, words, description, split)
    sources = [_suited(source, run, description, network) for source in found]
    known = [source for source in sources if source.tasks]
    if not known:
        others = sorted({task for source in sources for task in source.all_tasks})
        raise DataError(f"the data have none of the run's tasks ({', '.join(network.tasks)}), but {', '.join(others)}")
    _check_classes(inferred, network.tasks)
    for source in known:
        for task in source.tasks:
            network.tasks[task].check(source.targets(task))
    model, tasks = network.model, network.tasks
    return Evaluator(model, tasks, device, network.precision, network.batch_size).evaluate(known)


class Renormalised(Source):
    """Rows of other data, prepared as those of training were.

    Args:
        source: the rows.
        tasks: of the source that the network has.
        normalisation: of training.
    """

    def __init__(self, source: Source, tasks: Sequence[str], normalisation: Normalisation) -> None:
        self.name, self.input_shape, self.in_memory = source.name, source.input_shape, source.in_memory
        self.tasks, self.all_tasks = tuple(tasks), source.tasks
        self._source, self._own = source, source.normalisation()
        self._prepare = Prepare(normalisation, len(source.input_shape))

    def __len__(self) -> int:
        return len(self._source)

    def labelled(self, task: str) -> Tensor:
        return self._source.labelled(task)

    def fetch(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        inputs, targets = self._source.fetch(rows)
        return inputs, {task: targets[task] for task in self.tasks}

    def texts(self, task: str, rows: Tensor) -> list[AnswerTexts] | None:
        return self._source.texts(task, rows)

    def prepare(self, inputs: Tensor) -> Tensor:
        if self._own.early:  # the rows were standardised by these data's own statistics as they were read
            mean, deviation = (torch.tensor(v, dtype=torch.float64) for v in (self._own.mean, self._own.deviation))
            inputs = inputs.double() * deviation.to(inputs.device) + mean.to(inputs.device)
        return self._prepare.to(inputs.device)(inputs)


def _sources(
    run: Path, config: DictConfig, words: Sequence[str], description: ModelDescription, split: str
) -> tuple[list[Source], Mapping[str, Mapping[str, Any]]]:
    """The sources of the other data, and the kinds that are read off them."""
    if any(word.startswith("data=") for word in words):
        kept = [word for word in Run(run).overrides if not word.lstrip("+~").startswith(("data=", "data."))]
        folder = Run(run).config_dir
        own = [f"hydra.searchpath=[file://{Path(folder).absolute()}]"] if folder else []
        changed = compose([*kept, *words, *own])
    else:
        changed = change(config, words)
    given = [word.partition("=")[0] for word in words]
    if given == ["data.test_path"] and split == "test":
        if changed.data._target_ == OWN_TEXTS:
            return [_texts_of(changed, run, description)], {}
        if changed.data._target_ == ARRAYS:
            return [_rows_of(changed, description)], {}
    splits: Splits = instantiate(changed.data, "data", Splits)
    return getattr(splits, split), splits.inferred


def _texts_of(config: DictConfig, run: Path, description: ModelDescription) -> Source:
    """The texts of `data.test_path` alone, with the numbers of the run's words."""
    data, entry = config.data, description.inputs[0]
    path, vocabulary = Path(data.test_path).expanduser(), vocabulary_of(entry, run)
    if data.columns:
        return word_rows(path, [*map(str, data.columns)], named_texts(data), entry, description, vocabulary)
    return text_rows(path, text_columns(data), entry, description, vocabulary)


def _rows_of(config: DictConfig, description: ModelDescription) -> Source:
    """The rows of `data.test_path` alone, encoded as in training."""
    path, entry = Path(config.data.test_path).expanduser(), description.inputs[0]
    if not entry.columns:
        return _array_rows(config, description)
    if shards_of(path):
        return shard_rows(path, entry, description, cache_folder(config.data.get("cache"), KEPT))
    return table_rows(path, entry, description)


def _array_rows(config: DictConfig, description: ModelDescription) -> Source:
    """The rows of `data.test_path` alone, as they are there: the training rows are not needed, and may be far away."""
    data, path = config.data, Path(config.data.test_path).expanduser()
    name = str(data.inputs or "inputs")
    table = (read_folder if path.is_dir() else read_table)(path, name, None)
    held, channels = table.pop(name), str(data.channels)
    files = [path / f"{name}.npy"]
    mapped = path.is_dir()
    given = MappedInputs(name, files, channels) if mapped else HeldInputs(name, held, channels)
    kinds = {task: str(kind["_target_"]).rpartition(".")[2] for task, kind in description.kinds.items()}
    known = {task: kinds[task] if kinds[task] in KINDS else None for task in table if task in kinds}
    labels = {
        task: infer_labels(task, table[task], given.image_shape, data.max_classes, kind) for task, kind in known.items()
    }
    if not labels:
        raise DataError(f"{path} has labels of none of the run's tasks ({', '.join(kinds)})")
    return given.as_they_are(labels)


def _suited(source: Source, run: Path, description: ModelDescription, network: TrainedNetwork) -> Renormalised:
    """The source prepared as the tasks' own source of training."""
    tasks = [task for task in source.tasks if task in network.tasks]
    entry = next((entry for entry in description.inputs if any(task in entry.tasks for task in tasks)), None)
    if entry is None:
        return Renormalised(source, [], source.normalisation())
    if tuple(source.input_shape) != entry.input_shape:
        found = "x".join(map(str, source.input_shape))
        raise DataError(f"rows of '{source.name}' are {found}, and the network takes {entry}")
    _check_dtype(source, entry)
    if entry.is_text:
        _check_vocabulary(source, run, entry)
    return Renormalised(source, tasks, entry.normalisation)


def _check_dtype(source: Source, entry: InputDescription) -> None:
    found, wanted = source.normalisation().dtype, entry.normalisation.dtype
    if entry.is_image and (found == "uint8") != (wanted == "uint8"):
        raise DataError(f"images of '{source.name}' are {found}, and the network was trained on {wanted}")


def _check_vocabulary(source: Source, run: Path, entry: InputDescription) -> None:
    """Numbers of tokens mean the same only with the same vocabulary."""
    known = vocabulary_of(entry, run)
    same = isinstance(source, TokenSource) and type(source.vocabulary) is type(known)
    if not same or vars(source.vocabulary).get("numbers") != vars(known).get("numbers"):  # type: ignore[attr-defined]
        raise DataError(
            f"'{source.name}' numbers its words otherwise than the run did: texts can be evaluated with the training "
            "data's vocabulary alone (predict reads any text)"
        )


def _check_classes(inferred: Mapping[str, Mapping[str, Any]], tasks: Mapping[str, Task]) -> None:
    """Refuse classes that have names, but others, or the same in another order."""
    for name, kind in inferred.items():
        for word in ("classes", "labels"):
            found: Any = kind.get(word)
            wanted = getattr(tasks.get(name), word, None)
            if wanted is None or not isinstance(found, list | tuple) or [*found] == [*wanted]:
                continue
            raise DataError(
                f"{word} of task '{name}' are {', '.join(map(str, found))} here, and {', '.join(wanted)} in training"
            )
