"""What gains of an epoch are measured against: `trainer.reference`. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mtlrun.errors import ConfigError, choose
from mtlrun.options import is_number
from mtlrun.runs.reader import Run

DELTAS = ("delta_m", "delta_p")
FIRST = "first"
_SHAPE = "must be {task: {metric: value}}, a run folder, or first"

Values = dict[str, dict[str, float]]


def check_selection(trainer: Any, known: list[str]) -> None:
    """Refuse rules of selection that contradict each other or lack a reference.

    Args:
        trainer: the node of the configuration.
        known: names of the task set's tasks; none if only the data knows them.

    Raises:
        ConfigError: for the first one.
    """
    select, on_test = _word(trainer.select), _word(trainer.select_on) == "test"
    if trainer.monitor is not None and select != "geometric":
        raise ConfigError(f"trainer.select={select}: trainer.monitor chooses the epoch already, leave one of them out")
    if select == "last" and trainer.patience is not None:
        raise ConfigError("trainer.select=last: the last epoch is always the better one, leave trainer.patience out")
    if on_test and select == "last":
        raise ConfigError("trainer.select_on=test: trainer.select=last looks at no scores, leave it out")
    if on_test and trainer.patience is not None:
        raise ConfigError("trainer.select_on=test: training must not end by test scores, leave trainer.patience out")
    _check_reference(trainer, select, known)


def _check_reference(trainer: Any, select: str, known: list[str]) -> None:
    reference = trainer.reference
    if select not in DELTAS:
        if reference is not None:
            raise ConfigError(f"trainer.reference: trainer.select={select} has none; choose delta_m or delta_p")
        return
    if reference is None:
        raise ConfigError(f"trainer.select={select}: against what? trainer.reference {_SHAPE}")
    if OmegaConf.is_dict(reference):
        _check_values(OmegaConf.to_container(reference, resolve=True), known)
    elif not isinstance(reference, str) or not reference.strip():
        raise ConfigError(f"trainer.reference={reference}: {_SHAPE}")


def resolved(config: DictConfig, directions: Mapping[str, Mapping[str, bool]]) -> Values | str | None:
    """The reference as values of the tasks that are trained; 'first' and null as they are.

    Of a run folder they are the scores at its best validation epoch, of the rows that choose: the judging metrics for
    Delta-m, for Delta-p those that count in it; in the run of an older version all metrics with a direction.

    Args:
        config: of the run, checked.
        directions: trained task -> metric -> whether higher is better.

    Raises:
        ConfigError: if a trained task or one of its metrics is unknown, or a folder holds no results.
    """
    trainer = config.trainer
    reference = trainer.reference
    if reference is None or reference == FIRST:
        return reference
    if OmegaConf.is_dict(reference):
        values = OmegaConf.to_container(reference, resolve=True)
    else:
        values = _of_run(Path(reference).expanduser(), _word(trainer.select), _word(trainer.select_on))
    assert isinstance(values, dict)
    for task, known in directions.items():
        if task not in values:
            raise ConfigError(f"trainer.reference: no values for task '{task}' (it has: {', '.join(map(str, values))})")
        for metric in values[task]:
            choose(metric, [*known, "loss"], f"metric of task '{task}' for trainer.reference")
    return {task: {metric: float(value) for metric, value in values[task].items()} for task in directions}


def _of_run(folder: Path, select: str, split: str) -> dict[str, Any]:
    tasks = Run(folder).summary.get("tasks")
    if not isinstance(tasks, dict):
        raise ConfigError(f"trainer.reference={folder}: no finished run with a summary.json is there")
    values = {}
    for task, entry in tasks.items():
        metrics = [entry["metric"]] if select == "delta_m" else [*entry.get("counted", entry["directions"])]
        values[task] = {metric: entry["best"].get(split, {}).get(metric) for metric in metrics}
        for metric, value in values[task].items():
            if not is_number(value) or not value:
                there = f"{task}/{metric} on {split} rows is {value} there, and nothing is relative to that"
                raise ConfigError(f"trainer.reference={folder}: {there}; give the values by hand")
    return values


def _check_values(values: Any, known: list[str]) -> None:
    for task, metrics in values.items():
        if known and task not in known:
            choose(str(task), known, "task in trainer.reference named")
        if not isinstance(metrics, dict) or not metrics:
            raise ConfigError(f"trainer.reference.{task}={metrics}: must be {{metric: value}}")
        for metric, value in metrics.items():
            if not is_number(value) or not value:
                raise ConfigError(f"trainer.reference.{task}.{metric}={value}: must be a number other than 0")


def _word(value: Any) -> str:
    """The name of a choice, of a typed node or of one that was read back from a file."""
    return str(getattr(value, "value", value))
