"""From a checked configuration to rows of data and the tasks that are learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from mtlrun.config.alike import warn_if_alike
from mtlrun.config.combinations import check_sources
from mtlrun.config.named_kinds import data_with_kinds, taken
from mtlrun.data.fingerprint import fingerprint
from mtlrun.data.source import Source, Splits
from mtlrun.errors import ConfigError, choose
from mtlrun.instantiate import instantiate
from mtlrun.runs.task_names import check_task_name
from mtlrun.tasks.base import Task
from mtlrun.tasks.kinds import target_of
from mtlrun.training import devices


def build_data(config: DictConfig) -> tuple[Splits, dict[str, Task]]:
    """The splits with the sources of the chosen tasks, and the tasks, fitted to the training labels."""
    given = OmegaConf.to_container(config.task.tasks, resolve=True)
    assert isinstance(given, dict)
    splits: Splits = instantiate(data_with_kinds(config, given), "data", Splits)
    inferred = {name: with_target(kind) for name, kind in splits.inferred.items()}
    kinds = {str(name): merged_kind(inferred.get(str(name), {}), given.get(name)) for name in {**inferred, **given}}
    for name in kinds:
        check_task_name(name)
    for name in config.tasks or ():
        choose(name, kinds, "task")
    tasks = {name: build_task(name, kinds[name]) for name in kinds if config.tasks is None or name in config.tasks}
    check_sources(tasks, splits)  # while all of them are there, so that it can name what the data has
    train, val, test = (_with(tasks, part) for part in (splits.train, splits.val, splits.test))
    splits = Splits(train, val, test, splits.statement, kinds={name: kinds[name] for name in tasks})
    splits.fingerprint = fingerprint(splits)
    for name, task in tasks.items():
        for part in (splits.val, splits.test):  # whatever is wrong with them should not come out after training
            task.check(_targets(name, part))
        targets = _targets(name, splits.train)
        task.check(targets)
        warn_if_alike(task, targets)
        task.fit(targets)
    return splits, tasks


def _targets(task: str, sources: Sequence[Source]) -> Tensor:
    """The task's labels in all sources that have them, [N, ...]; of lazily read sources a sample."""
    return torch.cat([source.targets(task) for source in sources if task in source.tasks])


def with_target(kind: dict[str, Any]) -> dict[str, Any]:
    """What the data says of a task, with the class in place of the kind's plain name."""
    options = dict(kind)
    return {"_target_": target_of(options.pop("kind")), **options} if "kind" in options else options


def merged_kind(inferred: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    """What the configuration says of a task over what the data says; another kind drops the data's arguments."""
    given = given or {}
    if given.get("_target_", inferred.get("_target_")) != inferred.get("_target_"):
        return {**taken(given["_target_"], inferred), **given}
    return {**inferred, **given}


def build_task(name: str, kind: dict[str, Any]) -> Task:
    if "_target_" not in kind:
        raise ConfigError(
            f"task.tasks.{name} names no kind: give task.tasks.{name}._target_=mtlrun.tasks.<file>.<Kind>"
        )
    task: Task = instantiate(kind, f"task.tasks.{name}", Task, name=name)
    task.higher_is_better()  # refuses a judging metric that does not exist
    return task


def on_device(splits: Splits, device: torch.device) -> Splits:
    """The splits with their in-memory sources on the device, as far as they fit."""
    train, val, test = (devices.on_device(part, device) for part in (splits.train, splits.val, splits.test))
    return replace(splits, train=train, val=val, test=test)


def _with(tasks: dict[str, Task], sources: Sequence[Source]) -> list[Source]:
    return [source for source in sources if any(task in tasks for task in source.tasks)]
