"""Rules that a composed configuration must obey, checked in an instant: no torch here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, cast

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mtlrun import torchrun
from mtlrun.config.bounds import check_bounds
from mtlrun.config.by_task import check_task_names
from mtlrun.config.changes import OPEN_GROUPS
from mtlrun.config.data_files import check_data_files
from mtlrun.config.data_options import check_data_options
from mtlrun.config.explain import explain, suggest
from mtlrun.config.logger_nodes import logger_nodes
from mtlrun.config.reference import check_selection
from mtlrun.config.schema import Root, typed_root
from mtlrun.config.targets import check_target
from mtlrun.config.whereabouts import check_paths
from mtlrun.errors import ConfigError
from mtlrun.runs.task_names import check_task_name
from mtlrun.training.settings import DiagnosticsSettings, TrainerSettings

_NODES = {"": Root, "trainer.": TrainerSettings, "diagnostics.": DiagnosticsSettings}
_SMALLEST = {
    f"{prefix}{field.name}": field.metadata["at_least"]
    for prefix, node in _NODES.items()
    for field in fields(node)
    if field.metadata.get("at_least") is not None
} | {"balancer.every": 1}  # of an open group, which no dataclass types
"""Dotted key -> smallest value, as each field states it."""


def check(config: DictConfig) -> None:
    """Refuse a configuration that cannot be trained. A `hydra` node in it is passed over.

    Raises:
        ConfigError: for the first rule that is broken.
    """
    torchrun.check()
    content = cast(dict[str, Any], OmegaConf.to_container(config))
    content.pop("hydra", None)
    _check_schema(content)
    _check_complete(content)
    for group in OPEN_GROUPS:
        if group != "logger":
            _check_target(config, group)
    for key, node in logger_nodes(config).items():
        check_target(f"{key}._target_", node._target_)
    for key, smallest in _SMALLEST.items():
        value = OmegaConf.select(config, key)
        if isinstance(value, int | float) and value < smallest:
            raise ConfigError(f"{key}={value}: must be {smallest} or more")
    _check_whole_numbers(content)
    check_bounds(config)
    check_data_options(config)
    check_paths(config)
    check_data_files(config)
    _check_trainer(config.trainer)
    _check_processes(config.trainer)
    _check_tasks(config)
    check_task_names(config)
    _check_freeze(config.freeze)
    _check_objective(config)


def _check_schema(content: dict[str, Any]) -> None:
    """Catch what was added with '+' where the schema is closed: Hydra itself lets that pass."""
    closed = {key: value for key, value in content.items() if key not in OPEN_GROUPS or not _takes_all(value)}
    task = content.get("task")
    if isinstance(task, dict) and _takes_all(task.get("tasks")):
        closed["task"] = {key: value for key, value in task.items() if key != "tasks"}
    try:
        OmegaConf.merge(typed_root(), closed)
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error


def _takes_all(node: Any) -> bool:
    """Whether a node that is open by the schema has nothing that the schema could refuse."""
    return isinstance(node, dict) and all(map(_is_text, node))


def _check_complete(content: dict[str, Any]) -> None:
    missing = sorted(key for key, value in _leaves(content) if value == MISSING)
    if missing:
        raise ConfigError(f"{missing[0]} has no value: give {' '.join(f'{key}=...' for key in missing)}")


def _check_target(config: DictConfig, group: str) -> None:
    target = config[group].get("_target_")
    if target is None:
        raise ConfigError(f"no {group} chosen: give {group}=OPTION (mtlrun list {group} names them)")
    check_target(f"{group}._target_", target)


def _check_whole_numbers(content: dict[str, Any]) -> None:
    """Refuse those that no machine number holds."""
    for key, value in _leaves(content):
        if isinstance(value, int) and abs(value) >= 2**64:
            raise ConfigError(f"{key}: a whole number of {len(str(abs(value)))} digits is too large")


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is neither a group nor a list, with its dotted key."""
    if not isinstance(node, dict | list):
        yield key, node
        return
    for word, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield from _leaves(value, f"{key}.{word}" if key else str(word))


def _check_trainer(trainer: Any) -> None:
    if trainer.accumulate > trainer.batch_size:
        rows = trainer.batch_size
        raise ConfigError(f"trainer.accumulate={trainer.accumulate}: must be at most trainer.batch_size={rows}")
    if trainer.test_last > 1 and trainer.patience is not None:
        raise ConfigError(
            f"trainer.test_last={trainer.test_last}: which epochs are last is unknown with trainer.patience"
        )
    if trainer.clip_norm is not None and not trainer.clip_norm > 0:
        raise ConfigError(f"trainer.clip_norm={trainer.clip_norm}: must be above 0, or null for no clipping")
    if trainer.clip.value != "all" and trainer.clip_norm is None:
        raise ConfigError(f"trainer.clip={trainer.clip.value}: nothing is clipped, give trainer.clip_norm too")


def _check_processes(trainer: Any) -> None:
    """Every process needs a row in each part of a batch."""
    started = torchrun.size()
    if started > 1 and trainer.devices > 1:
        raise ConfigError(
            f"trainer.devices={trainer.devices}: torchrun has started {started} processes already, leave it out"
        )
    size, accumulate = max(started, trainer.devices), trainer.accumulate
    if trainer.batch_size < size * accumulate:
        parts = f" with trainer.accumulate={accumulate}" if accumulate > 1 else ""
        raise ConfigError(
            f"trainer.batch_size={trainer.batch_size}: must be at least {size * accumulate} for {size} processes{parts}"
        )


def _check_tasks(config: DictConfig) -> None:
    chosen = config.tasks
    known = [] if config.task.inferred else [str(name) for name in config.task.tasks]
    for name in config.task.tasks:
        check_task_name(str(name), f"task.tasks.{name}")
    if chosen is not None:
        _check_subset(list(chosen), known)
    check_selection(config.trainer, known)
    monitor = config.trainer.monitor
    if monitor is None:
        return
    task, slash, metric = monitor.partition("/")
    if not (slash and metric):
        raise ConfigError(f"trainer.monitor={monitor}: must be TASK/METRIC, or null for all tasks")
    active = list(chosen) if chosen is not None else known
    if active and task not in active:
        raise ConfigError(f"trainer.monitor={monitor}: no task '{task}' is trained{suggest(task, active)}")


def _check_subset(chosen: list[str], known: list[str]) -> None:
    shown = f"tasks=[{','.join(chosen)}]"
    if not chosen:
        raise ConfigError(f"{shown}: name at least one task, or null for all{suggest('', known)}")
    twice = next((name for name in chosen if chosen.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{shown}: '{twice}' is named twice")
    wrong = next((name for name in chosen if name not in known), None)
    if known and wrong is not None:
        raise ConfigError(f"{shown}: no task '{wrong}'{suggest(wrong, known)}")


def _check_freeze(freeze: Any) -> None:
    """Names of stages are compared with the backbone's where it is built."""
    stages = [*freeze] if OmegaConf.is_list(freeze) else [freeze]
    if freeze in (None, "backbone") or (OmegaConf.is_list(freeze) and stages and all(map(_is_text, stages))):
        return
    shown = f"[{','.join(map(str, stages))}]" if OmegaConf.is_list(freeze) else freeze
    raise ConfigError(f"freeze={shown}: must be backbone, a list of its stages such as [conv1,conv2], or null")


def objective_names(objective: Any) -> list[str]:
    """The objectives by name: one, or several.

    Raises:
        ConfigError: for anything but words.
    """
    names = [*objective] if OmegaConf.is_list(objective) or isinstance(objective, list) else [objective]
    if not names or not all(map(_is_text, names)):
        raise ConfigError(
            f"objective={objective}: must be score, TASK/METRIC, or a list such as [left/loss,right/loss]"
        )
    return names


def _check_objective(config: DictConfig) -> None:
    """Names of metrics are compared with the tasks' where those are built."""
    tasks = config.tasks if config.tasks is not None else config.task.tasks
    for name in objective_names(config.objective):
        task, slash, metric = name.partition("/")
        if name != "score" and not (slash and metric):
            raise ConfigError(f"objective={name}: must be score or TASK/METRIC")
        if slash and not config.task.inferred and task not in tasks:
            raise ConfigError(f"objective={name}: no task '{task}' is trained{suggest(task, map(str, tasks))}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
