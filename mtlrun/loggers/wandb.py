"""Weights & Biases."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError, choose
from mtlrun.loggers.base import Logger, optional_package

ID_FILE = "wandb_id.txt"
"""Holds the id of the W&B run, so that a resumed run goes on with it."""
LONGEST_START = 30  # seconds to wait for the server, instead of 90


class Wandb(Logger):
    """One W&B run per run folder, in the group of the folder around it (the sweep, for its jobs).

    Args:
        folder: of the run; W&B's own files go into `wandb/` inside it.
        config: of the run.
        project: W&B project.
        entity: W&B user or team; None for the account's own.
        mode: online, offline (send later with `wandb sync`) or disabled.
        name: of the run; None for the folder's name.

    Raises:
        ConfigError: if wandb is not installed, or cannot log in.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        project: str = "mtlrun",
        entity: str | None = None,
        mode: str = "online",
        name: str | None = None,
    ) -> None:
        choose(mode, ["online", "offline", "disabled"], "logger.mode of wandb")
        wandb = optional_package("wandb", "wandb")
        resumed = (folder / ID_FILE).exists()
        try:
            self._run = wandb.init(
                dir=folder,
                config=dict(config),
                project=project,
                entity=entity,
                mode=mode,
                name=name or folder.name,
                group=folder.parent.name,
                id=_run_id(folder),
                resume="allow" if resumed else None,
                settings=wandb.Settings(init_timeout=LONGEST_START),
            )
        except wandb.Error as error:
            reason = str(error).strip().split("\n")[0].rstrip(".")
            raise ConfigError(f"logger=wandb: {reason}: run `wandb login`, or set logger.mode=offline") from error

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


def _run_id(folder: Path) -> str:
    """The id that an earlier part of this run used, or a new one."""
    path = folder / ID_FILE
    if not path.exists():
        path.write_text(secrets.token_hex(8) + "\n")
    return path.read_text().strip()
