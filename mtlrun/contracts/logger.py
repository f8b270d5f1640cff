"""What every logger promises: a second place for a run's figures, that goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from mtlrun.contracts.promise import Promises, demand
from mtlrun.loggers.base import Logger

PART = "logger"

_FIGURES = {"val/lane/iou": 0.5, "train/lane/loss": 1.25}


@dataclass(frozen=True)
class LoggerSubject:
    """A logger to look at.

    make: builds one for a run folder and a plain configuration, as `make(folder, config)`.
    config: a configuration, as a run has it.
    """

    make: Callable[[Path, dict[str, Any]], Logger]
    config: Mapping[str, Any]
    name: str


PROMISES: Promises[LoggerSubject] = Promises(PART)


def check_logger(
    make: Callable[[Path, dict[str, Any]], Logger], config: Mapping[str, Any] | None = None, name: str = "of yours"
) -> None:
    """Raise BrokenPromise, with one line, for the first promise that the logger breaks; its folders are temporary.

    Args:
        make: builds a logger for a run folder and a plain configuration.
        config: that it is given.
        name: for the line.
    """
    PROMISES.check(LoggerSubject(make, config or {"seed": 0, "trainer": {"epochs": 3}, "tasks": ["lane"]}, name))


@PROMISES("it takes figures, also none and ones that are not finite, and closes twice")
def takes_figures(subject: LoggerSubject) -> None:
    with TemporaryDirectory() as folder:
        logger = subject.make(Path(folder), dict(subject.config))
        demand(isinstance(logger, Logger), "it does not subclass mtlrun.loggers.base.Logger")
        logger.log(1, _FIGURES)
        logger.log(2, {})
        logger.log(3, {"val/lane/loss": float("nan"), "val/lane/gap": float("inf")})
        logger.close()
        logger.close()


@PROMISES("it takes final scores, a picture, the checkpoints and how the run ended")
def takes_the_end(subject: LoggerSubject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("plots/cosines.png", "checkpoints/best.pt", "checkpoints/last.pt"):
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).touch()
        Image.new("RGB", (2, 2)).save(folder / "plots/cosines.png")
        logger = subject.make(folder, dict(subject.config))
        logger.log(1, _FIGURES)
        logger.summarise({"best/test/lane/iou": 0.5, "best/epoch": 0.0})
        logger.picture(1, "plots/cosines", folder / "plots/cosines.png")
        logger.checkpoints(folder / "checkpoints")
        logger.end("failed", "NonFiniteError: the loss is not finite")


@PROMISES("one that is made for the folder of an earlier one goes on with its records")
def goes_on(subject: LoggerSubject) -> None:
    with TemporaryDirectory() as folder:
        for step in (1, 2):
            logger = subject.make(Path(folder), dict(subject.config))
            logger.log(step, _FIGURES)
            logger.close()


@PROMISES("two at a time, for the jobs of a sweep, do not meet")
def two_at_a_time(subject: LoggerSubject) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        loggers = [subject.make(Path(folder), dict(subject.config)) for folder in (one, other)]
        for logger in loggers:
            logger.log(1, _FIGURES)
        for logger in loggers:
            logger.close()


@PROMISES("figures and configuration stay as they are")
def changes_no_argument(subject: LoggerSubject) -> None:
    figures, config = dict(_FIGURES), dict(subject.config)
    with TemporaryDirectory() as folder:
        logger = subject.make(Path(folder), config)
        logger.log(1, figures)
        logger.close()
    demand(figures == _FIGURES, f"the figures became {figures}")
    demand(config == subject.config, "the configuration was changed")
