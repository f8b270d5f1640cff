"""A trained network scored on rows that it was not made for: other data of the same tasks, prepared as in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from mtlrun.config.compose import compose
from mtlrun.config.saved import change, load_config
from mtlrun.data.label_kinds import KINDS
from mtlrun.data.source import Normalisation, Source, Splits
from mtlrun.data.text.source import TokenSource
from mtlrun.errors import DataError, ResumeError
from mtlrun.inference.description import InputDescription, ModelDescription, read, vocabulary_of
from mtlrun.inference.rebuild import trained_network
from mtlrun.inference.trained import Prepare, TrainedNetwork
from mtlrun.instantiate import instantiate
from mtlrun.runs.reader import Run
from mtlrun.tasks.base import Task
from mtlrun.training.devices import resolve
from mtlrun.training.evaluate import Evaluator, Scores
from mtlrun.training.settings import Device

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
        raise ResumeError(
            f"{run} has no model.json (an older version has written it): how to prepare data is not known"
        )
    config = load_config(run)
    device = resolve(Device(config.trainer.device))
    network = trained_network(run, checkpoint, device)
    splits = _splits(run, config, words, description)
    sources = [_suited(source, run, description, network) for source in getattr(splits, split)]
    known = [source for source in sources if source.tasks]
    if not known:
        found = sorted({task for source in sources for task in source.all_tasks})
        raise DataError(f"the data have none of the run's tasks ({', '.join(network.tasks)}), but {', '.join(found)}")
    _check_classes(splits, network.tasks)
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

    def prepare(self, inputs: Tensor) -> Tensor:
        if self._own.early:  # the rows were standardised by these data's own statistics as they were read
            assert self._own.mean is not None and self._own.deviation is not None
            mean, deviation = (torch.tensor(v, dtype=torch.float64) for v in (self._own.mean, self._own.deviation))
            inputs = inputs.double() * deviation.to(inputs.device) + mean.to(inputs.device)
        return self._prepare.to(inputs.device)(inputs)  # type: ignore[no-any-return]


def _splits(run: Path, config: DictConfig, words: Sequence[str], description: ModelDescription) -> Splits:
    """The other data, read."""
    if any(word.startswith("data=") for word in words):
        kept = [word for word in Run(run).overrides if not word.lstrip("+~").startswith(("data=", "data."))]
        folder = Run(run).config_dir
        own = [f"hydra.searchpath=[file://{Path(folder).absolute()}]"] if folder else []
        changed = compose([*kept, *words, *own])
    else:
        changed = change(config, words)
    if changed.data._target_ == ARRAYS:
        changed = _only_file(changed, words, description)
    return instantiate(changed.data, "data", Splits)  # type: ignore[no-any-return]


def _only_file(config: DictConfig, words: Sequence[str], description: ModelDescription) -> DictConfig:
    """With the file of test rows in all places: the training rows are not needed, and may be far away."""
    given = [word.partition("=")[0] for word in words]
    if "data.test_path" not in given or "data.path" in given:
        return config
    made = config.copy()
    OmegaConf.set_struct(made, False)
    for key in ("path", "val_path"):
        made.data[key] = config.data.test_path
    named = {name: str(kind["_target_"]).rpartition(".")[2] for name, kind in description.kinds.items()}
    made.data.kinds = {**{name: kind for name, kind in named.items() if kind in KINDS}, **(config.data.kinds or {})}
    return made


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


def _check_classes(splits: Splits, tasks: Mapping[str, Task]) -> None:
    """Refuse classes that have names, but others, or the same in another order."""
    for name, kind in splits.inferred.items():
        for word in ("classes", "labels"):
            found: Any = kind.get(word)
            wanted = getattr(tasks.get(name), word, None)
            if wanted is None or not isinstance(found, list | tuple) or [*found] == [*wanted]:
                continue
            raise DataError(
                f"{word} of task '{name}' are {', '.join(map(str, found))} here, and {', '.join(wanted)} in training"
            )
