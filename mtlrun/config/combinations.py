"""Combinations that have no meaning, refused before training with what to choose instead."""

from __future__ import annotations

from collections.abc import Collection

from omegaconf import DictConfig
from torch import nn

from mtlrun.balancers.base import Balancer, LossBalancer
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, DataError
from mtlrun.gradients.base import EngineSettings
from mtlrun.gradients.engine import Engine
from mtlrun.gradients.pairing import check_last_stage, check_pairing
from mtlrun.sharing.base import Sharing
from mtlrun.training.settings import Clip


def check_balancer(config: DictConfig, balancer: Balancer, settings: EngineSettings) -> None:
    """Settings of the gradient engine that the kind of balancer cannot use."""
    check_pairing(balancer, settings, config.balancer._target_)
    if settings.gradients == "features" and config.trainer.compile:
        raise ConfigError("balancer.gradients=features: a compiled network does not show them, choose last_stage")


def trunk_end(sharing: Sharing) -> nn.Module:
    """The module whose outputs are the features that all tasks share.

    Raises:
        ConfigError: if the scheme has no such module.
    """
    end = sharing.trunk_end()
    if end is None:
        scheme = type(sharing).__name__
        raise ConfigError(
            f"balancer.gradients=features: {scheme} has no features that all tasks share, choose parameters"
        )
    return end


def check_engine(config: DictConfig, engine: Engine, sharing: Sharing) -> None:
    """Gradient surgery needs parameters that two tasks share and that learn, and every task needs some that learn."""
    _check_learning(engine)
    if isinstance(engine.balancer, LossBalancer):
        return
    check_last_stage(engine.balancer, engine.settings, engine.groups)
    if engine.groups.shared:
        return
    if len(engine.groups.task_specific) == 1:
        why, instead = (
            f"the single task '{next(iter(engine.groups.task_specific))}' shares none",
            "choose balancer=equal",
        )
    elif sharing.shared_parameters():
        why, instead = "all of them are frozen", "choose balancer=equal, or freeze less"
    else:
        why, instead = "nothing is shared", "choose sharing=hard, or balancer=equal"
    method = config.balancer._target_.rpartition(".")[2]
    raise ConfigError(f"balancer {method} works on the gradients of shared parameters, and here {why}: {instead}")


def check_clip(clip: Clip, engine: Engine) -> None:
    if clip == Clip.shared and not engine.groups.shared:
        raise ConfigError("trainer.clip=shared: no parameter that learns is shared, choose all")


def _check_learning(engine: Engine) -> None:
    idle = next(
        (task for task, own in engine.groups.task_specific.items() if not own and not engine.groups.shared), None
    )
    if idle is not None:
        raise ConfigError(f"nothing is left to train for task '{idle}': all its parameters are frozen")


def check_sources(tasks: Collection[str], splits: Splits) -> None:
    """Every task needs a labelled row in every split."""
    if not tasks:
        raise DataError("the data names no task")
    for name, sources in (("training", splits.train), ("validation", splits.val), ("test", splits.test)):
        for task in tasks:
            if not any(task in source.tasks and bool(source.labelled(task).any()) for source in sources):
                known = sorted({task for source in sources for task in source.tasks})
                raise DataError(f"no {name} row is labelled for task '{task}' (labelled: tasks=[{','.join(known)}])")
