"""The contract of a logger: a second place for a run's figures, besides the CSV files of its folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError


class Logger(ABC):
    """Takes figures while a run goes on; every run, each job of a sweep included, has a logger of its own.

    Subclasses take `(folder: Path, config: dict, <options>)`: the run folder and the plain configuration. A
    logger made for a folder that already holds its records goes on with them (`mtlrun resume`).
    """

    @abstractmethod
    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record figures, named such as 'val/lane/iou', after optimizer step `step`."""

    @abstractmethod
    def close(self) -> None:
        """Write out what is left. May be called once more after that."""


class NoLogger(Logger):
    """Writes nothing (`logger=csv`): the run folder writes its CSV files whichever logger is chosen.

    Args:
        folder: of the run.
        config: of the run.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Takes what every logger takes."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def optional_package(module: str, extra: str) -> Any:
    """Import a module that only `logger=EXTRA` needs.

    Raises:
        ConfigError: that names the extra to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"logger={extra} cannot start ({error}): pip install 'mtlrun[{extra}]', or choose logger=csv"
        ) from error


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level: {'trainer': {'epochs': 3}} becomes {'trainer.epochs': 3}."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return flat
