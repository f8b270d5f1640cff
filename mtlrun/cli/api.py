"""The Python interface: `mtlrun.run(["task=multidigits", "balancer=pcgrad"])`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from mtlrun.cli.flags import with_force
from mtlrun.cli.folders import refuse_used, run_folder
from mtlrun.cli.logs import logging_to
from mtlrun.cli.together import claimed
from mtlrun.config.compose import as_mistake, compose
from mtlrun.config.composed import without_hydra
from mtlrun.config.whereabouts import OWN_DATA
from mtlrun.data.tables.named_arrays import arrays_of, write_arrays
from mtlrun.experiment import run as experiment
from mtlrun.runs.folder import made


@dataclass(frozen=True)
class Result:
    """A finished run: its folder, and the content of its summary.json."""

    folder: Path
    summary: dict[str, Any] = field(repr=False)

    def _repr_html_(self) -> str:
        """What a notebook shows: the table of results, and the plots by name."""
        from mtlrun.reporting.loading import LoadedRun

        return LoadedRun(self.folder)._repr_html_()


def run(overrides: Sequence[str] = (), folder: str | Path | None = None, data: Any = None) -> Result:
    """Train one configuration, as `mtlrun OVERRIDES` does, with the same checks and the same files.

    In processes that torchrun has started, all must call it alike; each gets the result.

    Args:
        overrides: settings as on the command line, such as ["task=multidigits", "seed=1"].
        folder: of the run; a fresh one under outputs/ by default.
        data: a pandas data frame, or a mapping from names to arrays, for data sets with an option `path`, such as that
            of task=table. It is written into the run's folder, from where the run resumes.

    Raises:
        ConfigError: for a mistake in the settings.
        DataError: for data that is missing or malformed.
        NonFiniteError: if a loss becomes NaN or infinite.
        ProcessLost: if one of several processes dies.
    """
    arrays = None if data is None else arrays_of(data)
    config = compose([*with_force(overrides), *([] if arrays is None else [f"data.path={OWN_DATA}"])])
    own = claimed(lambda: _claim(config, folder), config)
    if arrays is not None:
        config.data.path = str(own.path.resolve() / OWN_DATA)
        if own.writes:
            write_arrays(Path(config.data.path), arrays)
    if own.writes:
        _write_config(config, own.path)
    # Where the caller has set up logging, lines reach the terminal by their own way.
    console = own.writes and not logging.getLogger().handlers
    with logging_to(own.log if own.writes else None, console):
        try:
            summary = experiment.run(without_hydra(config), own, ["mtlrun", *overrides])
        except Exception as error:
            raise as_mistake(error) from error
    return Result(own.path, summary)


def _claim(config: DictConfig, folder: str | Path | None) -> Path:
    path = run_folder(config) if folder is None else refuse_used(Path(folder))
    return made(path)


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
