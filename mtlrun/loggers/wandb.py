"""Weights & Biases."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError, choose
from mtlrun.loggers.base import Logger, chosen_artifact, optional_package
from mtlrun.runs.folder import Ending
from mtlrun.runs.sweeps import sweep_of

ID_FILE = "wandb_id.txt"
"""Holds the id of the W&B run, so that a resumed run goes on with it."""
LONGEST_START = 30  # seconds to wait for the server, instead of 90
MODES = ("online", "offline", "disabled")
STEP = "step"
"""The optimizer step: all figures are drawn over it."""
_CODES: Mapping[Ending, int] = {"finished": 0, "failed": 1, "interrupted": 130}


class Wandb(Logger):
    """One W&B run per run folder; the jobs of a sweep are a group. An option that is None is left to W&B's variables.

    Args:
        folder: of the run; W&B's own files go into `wandb/` inside it.
        config: of the run.
        project: W&B project; None for $WANDB_PROJECT, or else mtlrun.
        entity: W&B user or team; None for $WANDB_ENTITY, or else the account's own.
        mode: online, offline (send later with `wandb sync`) or disabled; None for $WANDB_MODE, or else online.
        name: of the run; None for $WANDB_NAME, or else the folder's name.
        group: None for $WANDB_RUN_GROUP, or else the sweep's folder, for its jobs.
        job_type: None for $WANDB_JOB_TYPE, or else train.
        artifact: checkpoint to keep as an artifact, 'best' or 'last'.

    Raises:
        ConfigError: if wandb is not installed, or cannot log in.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        project: str | None = None,
        entity: str | None = None,
        mode: str | None = None,
        name: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        artifact: str | None = None,
    ) -> None:
        if mode is not None:
            choose(mode, MODES, "logger.wandb.mode")
        self._artifact = chosen_artifact(artifact, "wandb")
        self._package = optional_package("wandb", "wandb")
        self._run: Any = None
        sweep = sweep_of(folder)
        self._arguments = {
            "dir": folder,
            "config": dict(config),
            "project": _unless("WANDB_PROJECT", project, "mtlrun"),
            "entity": entity,
            "mode": mode,
            "name": _unless("WANDB_NAME", name, folder.resolve().name),
            "group": _unless("WANDB_RUN_GROUP", group, None if sweep is None else sweep.name),
            "job_type": _unless("WANDB_JOB_TYPE", job_type, "train"),
        }
        self._resumed = (folder / ID_FILE).exists()
        self._arguments["id"] = _run_id(folder)
        if not self._resumed:  # a refused resume leaves the run as it ended
            self._start()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._started().log({**values, STEP: step})

    def summarise(self, scores: Mapping[str, float]) -> None:
        """Test scores of the best epoch stand under their own names too, where W&B would show the last ones."""
        tests = {name.removeprefix("best/"): value for name, value in scores.items() if name.startswith("best/test/")}
        self._started().summary.update({**scores, **tests})

    def picture(self, step: int, name: str, file: Path) -> None:
        self._started().log({name: self._package.Image(str(file)), STEP: step})

    def checkpoints(self, folder: Path) -> None:
        if self._artifact is not None:
            kept = self._package.Artifact(f"checkpoint-{self._arguments['id']}", type="model")
            kept.add_file(str(folder / f"{self._artifact}.pt"))
            self._started().log_artifact(kept, aliases=[self._artifact])

    def end(self, ending: Ending, reason: str | None) -> None:
        """W&B knows finished and failed by the exit code; the summary says more."""
        if self._run is not None:
            self._run.summary.update({"status": ending, "reason": reason})
            self._run.finish(exit_code=_CODES[ending])
            self._run = None

    def close(self) -> None:
        if self._run is not None:
            self._run.finish()
            self._run = None

    def _started(self) -> Any:
        if self._run is None:
            self._start()
        return self._run

    def _start(self) -> None:
        try:
            self._run = self._package.init(
                **self._arguments,
                resume="allow" if self._resumed else None,
                settings=self._package.Settings(init_timeout=LONGEST_START),
            )
        except self._package.Error as error:
            reason = str(error).strip().split("\n")[0].rstrip(".")
            raise ConfigError(
                f"logger=wandb: {reason}: run `wandb login`, or set logger.wandb.mode=offline or WANDB_MODE=offline"
            ) from error
        self._run.define_metric("*", step_metric=STEP)
        self._resumed = True


def _unless(variable: str, given: str | None, ours: str | None) -> str | None:
    """What was given; else None where W&B's own variable is set; else our default."""
    return given if given is not None or os.environ.get(variable) else ours


def _run_id(folder: Path) -> str:
    """The id that an earlier part of this run used, or a new one."""
    path = folder / ID_FILE
    if not path.exists():
        path.write_text(secrets.token_hex(8) + "\n")
    return path.read_text().strip()
