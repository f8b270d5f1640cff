"""Event files for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlrun.loggers.base import Logger, optional_package


class TensorBoard(Logger):
    """Writes scalars, and the configuration as text, into the run folder.

    Show every run of a folder with `tensorboard --logdir outputs`.

    Args:
        folder: of the run.
        config: of the run.
        subfolder: of the run folder, for the event files.
        flush_seconds: longest time for which figures are kept back.

    Raises:
        ConfigError: if TensorBoard is not installed.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        subfolder: str = "tensorboard",
        flush_seconds: int = 30,
    ) -> None:
        self._package = optional_package("torch.utils.tensorboard", "tensorboard")
        self._folder = Path(folder, subfolder)
        self._config = config
        self._flush_seconds = flush_seconds
        self._writer: Any = None

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if self._writer is None:
            self._writer = self._open(step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _open(self, step: int) -> Any:
        """Wait for the first figures: a resumed run hides what it wrote from their step on before."""
        resumed = any(self._folder.glob("events.*"))
        writer = self._package.SummaryWriter(
            str(self._folder), purge_step=step if resumed else None, flush_secs=self._flush_seconds
        )
        if not resumed:
            writer.add_text("config", "```json\n" + json.dumps(self._config, indent=2, default=str) + "\n```")
        return writer
