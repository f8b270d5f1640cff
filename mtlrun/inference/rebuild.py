"""From a run folder to its trained network: by `model.json` without any data, or for older runs by their data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig

from mtlrun.config.build import build_model, typed, without_start
from mtlrun.config.build_data import build_data, build_task
from mtlrun.config.saved import load_config
from mtlrun.config.whereabouts import look_in, started_in
from mtlrun.errors import ConfigError, DataError, ResumeError, choose
from mtlrun.inference.description import ModelDescription, describe, read
from mtlrun.inference.trained import TrainedNetwork
from mtlrun.lines import reason
from mtlrun.tasks.base import Task
from mtlrun.training.checkpoint import load, load_part
from mtlrun.training.settings import TrainerSettings


def trained_network(run: Path, checkpoint: str = "best", device: torch.device | str = "cpu") -> TrainedNetwork:
    """The network of a run, from any folder.

    Args:
        run: its folder.
        checkpoint: 'best' or 'last'.
        device: where it shall be.

    Raises:
        ResumeError: if the folder holds no such checkpoint, or its files do not fit each other.
        DataError: for a run of an older version whose data are not there.
        ConfigError: for a device that is not there.
    """
    path = run / "checkpoints" / f"{choose(checkpoint, ('best', 'last'), 'checkpoint')}.pt"
    if not path.exists():
        raise ResumeError(f"{path} does not exist: the run has saved no such checkpoint yet")
    config = load_config(run)
    look_in(started_in(run))
    description, tasks = described(run, config)
    silent = next((entry.name for entry in description.inputs if not entry.told), None)
    if silent is not None:
        raise DataError(f"source '{silent}' prepares its inputs itself: give its class the method normalisation, too")
    model = build_model(without_start(config), description.inputs, tasks)
    load_part("model", model, load(path)["model"], path)
    settings = typed(config.trainer, TrainerSettings)
    made = TrainedNetwork(model, tasks, description.inputs, settings.precision, settings.eval_batch_size)
    try:
        return made.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {device} cannot be used here: {reason(error)}") from error


def described(run: Path, config: DictConfig) -> tuple[ModelDescription, dict[str, Task]]:
    """What the run's network takes, and its tasks as they were fitted."""
    description = read(run)
    if description is not None:
        return description, fitted_tasks(description)
    try:
        splits, tasks = build_data(config)
    except DataError as error:
        raise DataError(
            f"{run} has no model.json (an older version has written it), so its data are needed: {error}"
        ) from error
    return describe(splits, tasks), tasks


def fitted_tasks(description: ModelDescription) -> dict[str, Task]:
    """The tasks of the file, in order."""
    return {name: _fitted(name, kind, description.constants[name]) for name, kind in description.kinds.items()}


def _fitted(name: str, kind: Mapping[str, object], constants: Mapping[str, object]) -> Task:
    task = build_task(name, dict(kind))
    task.set_constants(constants)
    return task
