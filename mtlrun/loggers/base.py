"""The contract of a logger: a second place for a run's figures, besides the CSV files of its folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError, choose
from mtlrun.runs.folder import Ending

CHECKPOINTS = ("best", "last")
"""What a logger can be asked to keep as an artifact."""


class Logger(ABC):
    """Takes figures while a run goes on; every run, each job of a sweep included, has loggers of its own.

    Subclasses take `(folder: Path, config: dict, <options>)`: the run folder and the plain configuration. A
    logger made for a folder that already holds its records goes on with them (`mtlrun resume`). What it raises while
    the run goes on costs its figures and a warning, never the run. Only the first two methods are needed.
    """

    @property
    def keeps_figures(self) -> bool:
        """Whether it does anything with figures; for loggers that do not, none are put together at each step."""
        return True

    @abstractmethod
    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record figures, named such as 'val/lane/iou', after optimizer step `step`.

        Steps may come again, and lower ones too: test scores of the best epoch are measured at the end.
        """

    @abstractmethod
    def close(self) -> None:
        """Write out what is left. May be called once more after that."""

    def summarise(self, scores: Mapping[str, float]) -> None:
        """Record the final scores, named such as 'best/test/lane/iou'."""
        return

    def picture(self, step: int, name: str, file: Path) -> None:
        """Record a PNG file, such as 'plots/cosines'."""
        return

    def checkpoints(self, folder: Path) -> None:
        """Training is over: keep `best.pt` or `last.pt` of the folder, if asked to."""
        return

    def end(self, ending: Ending, reason: str | None) -> None:
        """The run is over: how, and for one that has not finished why, in one line."""
        self.close()


class NoLogger(Logger):
    """Writes nothing (`logger=csv`): the run folder writes its CSV files whichever logger is chosen.

    Args:
        folder: of the run.
        config: of the run.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Takes what every logger takes."""

    @property
    def keeps_figures(self) -> bool:
        """Only in a subclass that takes them."""
        return type(self).log is not NoLogger.log

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


def chosen_artifact(word: str | None, logger: str) -> str | None:
    """The option `artifact` of a logger; raises ConfigError for anything but a checkpoint's name or None."""
    return None if word is None else choose(word, CHECKPOINTS, f"checkpoint for logger.{logger}.artifact")


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level: {'trainer': {'epochs': 3}} becomes {'trainer.epochs': 3}."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return flat
