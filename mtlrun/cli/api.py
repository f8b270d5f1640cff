"""The Python interface: `mtlrun.run(["task=multidigits", "balancer=pcgrad"])`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf, open_dict

from mtlrun.cli.flags import with_force
from mtlrun.cli.folders import refuse_used, run_folder
from mtlrun.cli.lifecycle import train
from mtlrun.cli.logs import logging_to
from mtlrun.cli.together import claimed
from mtlrun.config.composed import check_composed, without_hydra
from mtlrun.config.explain import explain
from mtlrun.config.schema import register_schema
from mtlrun.errors import ConfigError, MtlrunError
from mtlrun.paths import CONF

_ONE_AT_A_TIME = threading.Lock()  # Hydra composes through one global object


@dataclass(frozen=True)
class Result:
    """A finished run: its folder, and the content of its summary.json."""

    folder: Path
    summary: dict[str, Any]


def run(overrides: Sequence[str] = (), folder: str | Path | None = None) -> Result:
    """Train one configuration, as `mtlrun OVERRIDES` does, with the same checks and the same files.

    In processes that torchrun has started, all must call it alike; each gets the result.

    Args:
        overrides: settings as on the command line, such as ["task=multidigits", "seed=1"].
        folder: of the run; a fresh one under outputs/ by default.

    Raises:
        ConfigError: for a mistake in the settings.
        DataError: for data that is missing or malformed.
        NonFiniteError: if a loss becomes NaN or infinite.
        ProcessLost: if one of several processes dies.
    """
    config = compose_checked(with_force(overrides))
    run = claimed(lambda: _claim(config, folder), config)
    if run.writes:
        _write_config(config, run.path)
    # Where the caller has set up logging, lines reach the terminal by their own way.
    console = run.writes and not logging.getLogger().handlers
    with logging_to(run.log if run.writes else None, console):
        try:
            summary = train(without_hydra(config), run, ["mtlrun", *overrides])
        except Exception as error:
            raise _as_mistake(error) from error
    return Result(run.path, summary)


def compose_checked(overrides: list[str]) -> DictConfig:
    """The configuration that the settings make, its `hydra` node included, as strictly checked as a run's.

    Raises:
        ConfigError: for a mistake in the settings.
    """
    with _ONE_AT_A_TIME, _hydra_as_it_was():
        register_schema()
        try:
            with initialize_config_dir(str(CONF), job_name="mtlrun", version_base="1.3"):
                config = compose("config", overrides, return_hydra_config=True)
                _refuse_sweep(config)
                check_composed(config, GlobalHydra.instance().config_loader())
        except Exception as error:
            raise _as_mistake(error) from error
    return config


def _refuse_sweep(config: DictConfig) -> None:
    if config.hydra.mode == RunMode.MULTIRUN:
        raise ConfigError("these settings are a sweep: call run() for each job, or use the command mtlrun")


def _as_mistake(error: Exception) -> Exception:
    """The error itself, or a ConfigError with our line for one that Hydra words at length."""
    line = None if isinstance(error, MtlrunError) else explain(error)
    return error if line is None else ConfigError(line)


@contextmanager
def _hydra_as_it_was() -> Iterator[None]:
    """Give the caller's own Hydra, if any, back untouched."""
    instance, base = GlobalHydra.instance(), VersionBase.instance()
    hydra, version = instance.hydra, base.version_base
    instance.clear()
    try:
        yield
    finally:
        instance.hydra, base.version_base = hydra, version
        GlobalHydra.set_instance(instance)


def _claim(config: DictConfig, folder: str | Path | None) -> Path:
    if folder is None:
        path = run_folder(config)
    else:
        path = Path(folder)
        refuse_used(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write_config(config: DictConfig, path: Path) -> None:
    """The files that Hydra itself writes for a command."""
    hydra = DictConfig({"hydra": config.hydra})
    with open_dict(hydra.hydra):
        hydra.hydra.runtime.output_dir = str(path.resolve())
        for page in ("help", "hydra_help"):
            hydra.hydra.pop(page)
    (path / ".hydra").mkdir(exist_ok=True)
    OmegaConf.save(without_hydra(config), path / ".hydra" / "config.yaml")
    OmegaConf.save(hydra, path / ".hydra" / "hydra.yaml")
    OmegaConf.save(config.hydra.overrides.task, path / ".hydra" / "overrides.yaml")
