"""The function that Hydra calls, once for a run and once for each job of a sweep."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from mtlrun.cli.folders import refuse_used
from mtlrun.cli.lifecycle import train, verdict
from mtlrun.cli.terminal import complain, show
from mtlrun.cli.together import claimed
from mtlrun.config.schema import register_schema
from mtlrun.lines import path_from_here
from mtlrun.runs.folder import RunFolder

TRACEBACKS = "MTLRUN_FULL_ERROR"
"""Set to 1 where the user asked Hydra for tracebacks; launchers' processes inherit it."""


def job(config: DictConfig) -> None:
    """Train one configuration in the folder that Hydra made.

    A failed job of a sweep returns like any other, since some launchers stop the sweep at an exception: its
    status stands in run.json. A failed single run ends the command.
    """
    hydra = HydraConfig.get()
    path = Path(hydra.runtime.output_dir)
    sweeping = hydra.mode == RunMode.MULTIRUN
    try:
        folder = claimed(lambda: _unused(path), config)
        # A job of a sweep is told by its own settings, which also train it alone.
        summary = _train(config, folder, list(hydra.overrides.task) if sweeping else sys.argv[1:])
    except Exception as error:
        if not sweeping and wants_tracebacks():
            raise
        code, line = verdict(error, path)
        complain(line, f"job {hydra.job.num}: " if sweeping else "")
        if not sweeping:
            sys.exit(code)
        return
    if not sweeping and folder.writes:
        show_results(summary, path)


def _train(config: DictConfig, folder: RunFolder, words: list[str]) -> dict[str, Any]:
    register_schema()
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a launcher's process starts without it
    return train(config, folder, ["mtlrun", *words])


def _unused(path: Path) -> Path:
    refuse_used(path)
    return path


def show_results(summary: dict[str, Any], folder: Path) -> None:
    """Print the table of results, then the folder as the last line."""
    from mtlrun.report.tables import results_table

    show(results_table(summary))
    print(path_from_here(folder), flush=True)


def wants_tracebacks() -> bool:
    """Whether the user asked for tracebacks with HYDRA_FULL_ERROR=1."""
    return os.environ.get(TRACEBACKS) == "1"
