"""Settings by task: their names must be those of tasks that are trained, told before torch is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig

from mtlrun.config.bounds import OURS, plain
from mtlrun.errors import choose

_OF_BALANCERS = ("task_weights", "min_losses", "ideal", "leak")
"""Options of balancers that give a number for each task, by name; `leak` may be one for all."""
_CURRICULUM = "mtlrun.samplers.curriculum.Curriculum"


def check_task_names(config: DictConfig) -> None:
    """Refuse a setting for a task that is not trained; where only the data know the tasks, they tell.

    Raises:
        ConfigError: for the first one.
    """
    if config.tasks is None and config.task.inferred:
        return
    tasks = [str(name) for name in (config.task.tasks if config.tasks is None else config.tasks)]
    for option, names in _named(config):
        for name in names:
            choose(name, tasks, f"task in {option} named")


def _named(config: DictConfig) -> Iterator[tuple[str, Sequence[str]]]:
    """Each option of parts of ours that names tasks, and the names; what is no group or list is refused where it is
    built."""
    yield "optimizer.head_lr", _keys(plain(config, "optimizer").get("head_lr"))
    balancer = plain(config, "balancer")
    if str(balancer.get("_target_")).startswith(OURS):
        given = {option: balancer.get(option) for option in _OF_BALANCERS}
        options = balancer.get("options")
        given |= {f"options.{name}": value for name, value in options.items()} if isinstance(options, dict) else {}
        for option, value in given.items():
            yield f"balancer.{option}", _keys(value)
    for stage in _stages(plain(config, "sampler")):
        names = stage.get("tasks") if isinstance(stage, dict) else None
        yield "sampler.stages", names if isinstance(names, list) else ()


def _keys(value: Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, dict) else []


def _stages(sampler: Any) -> Iterator[Any]:
    """Of a curriculum, and of those inside of its stages or of another sampler."""
    if isinstance(sampler, list):
        for part in sampler:
            yield from _stages(part)
    if not isinstance(sampler, dict):
        return
    stages = sampler.get("stages")
    if sampler.get("_target_") == _CURRICULUM and isinstance(stages, list):
        yield from stages
    for part in sampler.values():
        yield from _stages(part)
