"""Composing a configuration outside of a Hydra application."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import DictConfig

from mtlrun.config.composed import check_composed
from mtlrun.config.explain import explain
from mtlrun.config.schema import register_schema
from mtlrun.config.simplex import refuse_single
from mtlrun.config.words import as_typed
from mtlrun.errors import ConfigError, MtlrunError
from mtlrun.paths import CONF

_ONE_AT_A_TIME = threading.Lock()  # Hydra composes through one global object


def compose(overrides: Sequence[str]) -> DictConfig:
    """The configuration that these settings lead to, checked, with its `hydra` node.

    Raises:
        ConfigError: for a mistake in the settings.
    """
    with hydra_alone():
        register_schema()
        try:
            with initialize_config_dir(str(CONF), job_name="mtlrun", version_base="1.3"):
                config = hydra_compose("config", list(overrides), return_hydra_config=True)
                _refuse_sweep(config)
                refuse_single(as_typed(config.hydra.overrides.task))
                check_composed(config, GlobalHydra.instance().config_loader())
        except Exception as error:
            raise as_mistake(error) from error
    return config


def as_mistake(error: Exception) -> Exception:
    """The error itself, or a ConfigError with our line for one that Hydra words at length."""
    line = None if isinstance(error, MtlrunError) else explain(error)
    return error if line is None else ConfigError(line)


def _refuse_sweep(config: DictConfig) -> None:
    if config.hydra.mode == RunMode.MULTIRUN:
        raise ConfigError("these settings are a sweep: add '-m' to the words")


@contextmanager
def hydra_alone() -> Iterator[None]:
    """Have Hydra's global object for oneself, one thread at a time, and give the caller's own back untouched."""
    with _ONE_AT_A_TIME, _hydra_as_it_was():
        yield


@contextmanager
def _hydra_as_it_was() -> Iterator[None]:
    instance, base = GlobalHydra.instance(), VersionBase.instance()
    hydra, version = instance.hydra, base.version_base
    instance.clear()
    try:
        yield
    finally:
        instance.hydra, base.version_base = hydra, version
        GlobalHydra.set_instance(instance)
