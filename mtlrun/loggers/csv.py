"""No logger besides the run folder's own CSV files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlrun.loggers.base import Logger


class Csv(Logger):
    """Writes nothing: the run folder writes its CSV files whichever logger is chosen.

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
