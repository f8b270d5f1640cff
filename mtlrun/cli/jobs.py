"""The jobs of a sweep, checked before the first one starts."""

from __future__ import annotations

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig

from mtlrun.config.composed import check_composed
from mtlrun.config.explain import explain
from mtlrun.errors import ConfigError

_BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


def check_jobs(config: DictConfig, loader: ConfigLoader) -> None:
    """Compose and check each job of a plain sweep; other sweepers choose their jobs as they go.

    Raises:
        ConfigError: for the first job with a mistake; it names what the job changes.
    """
    if config.hydra.sweeper.get("_target_") != _BASIC:
        return
    for job in _jobs(config):
        try:
            composed = loader.load_configuration(
                config_name=config.hydra.job.config_name,
                overrides=[*config.hydra.overrides.hydra, *job],
                run_mode=RunMode.RUN,
            )
            check_composed(composed, loader)
        except Exception as error:
            line = explain(error)
            if line is None:
                raise
            raise ConfigError(f"{line} [in job {' '.join(job)}]") from error


def _jobs(config: DictConfig) -> list[list[str]]:
    """The overrides of each job, in the sweeper's order."""
    from hydra._internal.core_plugins.basic_sweeper import (
        BasicSweeper,
    )  # no public name leads to its expansion

    fixed = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*fixed, *config.hydra.overrides.task])
    return BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]
