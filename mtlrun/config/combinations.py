"""Combinations that have no meaning, refused before training with what to choose instead."""

from __future__ import annotations

from collections.abc import Collection

from omegaconf import DictConfig

from mtlrun.balancers.base import Balancer, GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, DataError
from mtlrun.gradients.engine import Engine


def check_balancer(config: DictConfig, balancer: Balancer, every: int, gradients: str) -> None:
    """Settings of the gradient engine that the kind of balancer cannot use."""
    if not isinstance(balancer, GramBalancer) and gradients != "parameters":
        raise ConfigError(
            f"balancer.gradients={gradients}: {config.balancer._target_} does not read a Gram matrix, choose parameters"
        )
    if isinstance(balancer, JacobianBalancer | LossBalancer) and every != 1:
        raise ConfigError(f"balancer.every={every}: {config.balancer._target_} gives no weights to hold, choose 1")


def check_engine(config: DictConfig, engine: Engine) -> None:
    """Gradient surgery needs parameters that two tasks share."""
    if isinstance(engine.balancer, LossBalancer) or engine.parts.shared:
        return
    if len(engine.parts.own) == 1:
        why, instead = (
            f"the single task '{next(iter(engine.parts.own))}' shares none",
            "choose balancer=equal",
        )
    else:
        why, instead = "nothing is shared", "choose sharing=hard, or balancer=equal"
    method = config.balancer._target_.rpartition(".")[2]
    raise ConfigError(f"balancer {method} works on the gradients of shared parameters, and here {why}: {instead}")


def check_sources(tasks: Collection[str], splits: Splits) -> None:
    """Every task needs a labelled row in every split."""
    if not tasks:
        raise DataError("the data names no task")
    for name, sources in (("training", splits.train), ("validation", splits.val), ("test", splits.test)):
        for task in tasks:
            if not any(task in source.tasks and bool(source.labelled(task).any()) for source in sources):
                known = sorted({task for source in sources for task in source.tasks})
                raise DataError(f"no {name} row is labelled for task '{task}' (labelled are: {', '.join(known)})")
