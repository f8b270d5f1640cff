"""Several loggers as one, of which none can harm the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from mtlrun.lines import one_line
from mtlrun.loggers.base import Logger
from mtlrun.runs.folder import Ending

log = logging.getLogger(__name__)

PATIENCE = 3
"""Failures in a row after which a logger gets no more figures: each may cost seconds of waiting for a server."""


class Together(Logger):
    """Passes everything on to each logger; what one of them raises becomes a warning.

    Args:
        loggers: by name.
    """

    def __init__(self, loggers: Mapping[str, Logger]) -> None:
        self.loggers = dict(loggers)
        self._failures = dict.fromkeys(self.loggers, 0)

    @property
    def keeps_figures(self) -> bool:
        return any(logger.keeps_figures for logger in self.loggers.values())

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._each(f"no figures at step {step}", lambda logger: logger.log(step, dict(values)))

    def summarise(self, scores: Mapping[str, float]) -> None:
        self._each("no final scores", lambda logger: logger.summarise(dict(scores)))

    def picture(self, step: int, name: str, file: Path) -> None:
        self._each(f"no picture {name}", lambda logger: logger.picture(step, name, file))

    def checkpoints(self, folder: Path) -> None:
        self._each("no checkpoint", lambda logger: logger.checkpoints(folder))

    def end(self, ending: Ending, reason: str | None) -> None:
        self._failures = dict.fromkeys(self.loggers, 0)  # a server may have come back
        self._each("no word of the end", lambda logger: logger.end(ending, reason))

    def close(self) -> None:
        self._each("not all of its figures", lambda logger: logger.close())

    def _each(self, missed: str, give: Callable[[Logger], None]) -> None:
        for name in self.loggers:
            self._try(name, missed, give)

    def _try(self, name: str, missed: str, give: Callable[[Logger], None]) -> None:
        if self._failures[name] >= PATIENCE:
            return
        try:
            give(self.loggers[name])
        except Exception as error:
            self._failures[name] += 1
            last = "; it gets no more until the end" if self._failures[name] == PATIENCE else ""
            log.warning("logger %s took %s: %s%s", name, missed, one_line(str(error) or type(error).__name__), last)
        else:
            self._failures[name] = 0
