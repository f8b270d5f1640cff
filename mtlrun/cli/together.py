"""Commands that torchrun starts: every process runs the whole command, the first one claims the folder and writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from mtlrun import torchrun
from mtlrun.errors import ConfigError
from mtlrun.runs import restarts
from mtlrun.runs.folder import RunFolder
from mtlrun.training.settings import Device

_TRAINING = ("run", "resume")


def claimed(claim: Callable[[], Path], config: DictConfig) -> RunFolder:
    """The run's folder: of several processes the first one claims it, for all.

    Raises:
        MtlrunError: the mistake that `claim` finds, in every process.
    """
    if torchrun.size() == 1:
        return RunFolder(claim())
    from mtlrun.training.group import agreed, join_torchrun  # here: it loads torch

    ranks = join_torchrun(Device(config.trainer.device))
    path = agreed(ranks, lambda: claim() if ranks.first else Path())
    return RunFolder(ranks.broadcast_object(path), writes=ranks.first)


def goes_on(folder: RunFolder, config: DictConfig) -> bool:
    """See `runs.restarts.goes_on`; of several processes the first one looks, for all: folders differ in what they show
    to each machine at a moment, and all must do the same."""
    if torchrun.size() == 1:
        return restarts.goes_on(folder.path)
    from mtlrun.training.group import join_torchrun  # here: it loads torch

    ranks = join_torchrun(Device(config.trainer.device))
    answer: bool = ranks.broadcast_object(ranks.first and restarts.goes_on(folder.path))
    return answer


def refuse_verb(verb: str) -> None:
    """Raise ConfigError for a verb that only one process can do."""
    if torchrun.size() > 1 and verb not in _TRAINING:
        raise ConfigError(f"mtlrun {verb} takes one process: start it without torchrun")


def refuse_sweep() -> None:
    """Raise ConfigError for a sweep in several processes, which would each go through all its jobs."""
    if torchrun.size() > 1:
        raise ConfigError(
            "torchrun cannot start a sweep: leave it out, and set trainer.devices for several processes in each job"
        )


def write_nothing(config: DictConfig) -> None:
    """Have Hydra write neither `.hydra` nor a log in this process; warnings go to the terminal."""
    config.hydra.run.dir = "."
    config.hydra.output_subdir = None
    config.hydra.job_logging = {"version": 1, "root": {"handlers": []}, "disable_existing_loggers": False}
