"""The Python interface: `mtlrun.run(["task=multidigits", "balancer=pcgrad"])`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf, open_dict

from mtlrun.cli.flags import hydra_arguments, with_force
from mtlrun.cli.folders import Refused, RunFolders, refuse_used, run_folder
from mtlrun.cli.given_data import compose_with_data
from mtlrun.cli.logs import logging_to
from mtlrun.cli.together import claimed, goes_on
from mtlrun.config.compose import as_mistake, compose, hydra_alone
from mtlrun.config.composed import without_hydra
from mtlrun.config.words import quoted_text
from mtlrun.data.tables.named_arrays import arrays_of, write_arrays
from mtlrun.errors import ConfigError
from mtlrun.experiment import run as experiment
from mtlrun.runs.folder import made
from mtlrun.runs.reader import OWN_DATA

if TYPE_CHECKING:
    from mtlrun.reporting.loading import Runs
    from mtlrun.reporting.shown import ShownReport


@dataclass(frozen=True)
class Result:
    """A finished run: its folder, and the content of its summary.json."""

    folder: Path
    summary: dict[str, Any] = field(repr=False)

    def _repr_html_(self) -> str:
        """What a notebook shows: the table of results, and the plots by name."""
        from mtlrun.reporting.loading import LoadedRun

        return LoadedRun(self.folder)._repr_html_()


@dataclass(frozen=True)
class SweepResult:
    """A sweep that has ended, some of its jobs perhaps without success: its folder, its runs, its report."""

    folder: Path

    @property
    def runs(self) -> Runs:
        """Every run of the sweep, as `mtlrun.load` gives them."""
        from mtlrun.reporting.loading import load

        return load(self.folder)

    @property
    def report(self) -> ShownReport:
        """The runs averaged over seeds and compared, as `mtlrun.report` does."""
        from mtlrun.reporting.make import report

        return report(self.folder)

    def _repr_html_(self) -> str:
        """What a notebook shows: the report."""
        return self.report._repr_html_()


def run(overrides: Sequence[str] = (), folder: str | Path | None = None, data: Any = None) -> Result | SweepResult:
    """Train one configuration, as `mtlrun OVERRIDES` does, with the same checks and the same files.

    In processes that torchrun has started, all must call it alike; each gets the result. With "-m" among the words
    they are a sweep, which leaves its report in its folder; a job that fails does not end it.

    Args:
        overrides: settings as on the command line, such as ["task=multidigits", "seed=1"] or ["-m", "seed=0,1"].
        folder: of the run or the sweep; a fresh one under outputs/ by default.
        data: a pandas data frame, or a mapping from names to arrays, for task=table, texts or arrays. It is written
            into the run's folder, from where the run resumes.

    Raises:
        ConfigError: for a mistake in the settings.
        DataError: for data that is missing or malformed.
        NonFiniteError: if a loss becomes NaN or infinite.
        ProcessLost: if one of several processes dies.
    """
    if any(word in ("-m", "--multirun") for word in overrides):
        if data is not None:
            raise ConfigError("data: is for one run: write the table to a file, and give a sweep its data.path")
        return _sweep(overrides, folder)
    arrays = None if data is None else arrays_of(data)
    config = compose(with_force(overrides)) if arrays is None else compose_with_data(with_force(overrides), arrays)
    own = claimed(lambda: _claim(config, folder, arrays is not None), config)
    if arrays is not None:
        config.data.path = str(own.path.resolve() / OWN_DATA)
        if own.writes:
            own.owns(OWN_DATA)
            write_arrays(Path(config.data.path), arrays)
    settings = without_hydra(config)
    if own.writes:
        _write_config(config, settings, own.path)
    # Where the caller has set up logging, lines reach the terminal by their own way.
    console = own.writes and not logging.getLogger().handlers
    with logging_to(own.log if own.writes else None, console):
        try:
            resume = goes_on(own, config)
            summary = experiment.run(settings, own, ["mtlrun", *overrides], resume)
        except Exception as error:
            raise as_mistake(error) from error
    return Result(own.path, summary)


def _sweep(overrides: Sequence[str], folder: str | Path | None) -> SweepResult:
    """Let Hydra start the jobs; its launcher decides whether they train in this process."""
    from mtlrun.cli.run import run_hydra  # here: one run does without
    from mtlrun.reporting.exports import write_beside

    words = [*overrides, *([] if folder is None else [f"hydra.sweep.dir={quoted_text(str(folder))}"])]
    with hydra_alone(), _logging_as_it_was():
        before = len(RunFolders.sweeps)
        try:
            run_hydra(hydra_arguments(words))
        except Refused as refusal:
            raise as_mistake(refusal.error) from refusal.error
        except Exception as error:
            raise as_mistake(error) from error
        result = SweepResult(RunFolders.sweeps[before])
    write_beside(result.report, result.folder)
    return result


@contextmanager
def _logging_as_it_was() -> Iterator[None]:
    """Hydra sets up logging for each job; give the caller's back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:], root.level = handlers, level


def _claim(config: DictConfig, folder: str | Path | None, brings_data: bool) -> Path:
    path = run_folder(config) if folder is None else refuse_used(Path(folder))
    if brings_data and (path / OWN_DATA).exists() and not (path / "run.json").exists():
        raise ConfigError(f"{path / OWN_DATA} is there already, and data= would replace it: choose another folder")
    return made(path)


def _write_config(config: DictConfig, settings: DictConfig, path: Path) -> None:
    """The files that Hydra itself writes for a command; the settings are the run's own."""
    hydra = DictConfig({"hydra": config.hydra})
    with open_dict(hydra.hydra):
        hydra.hydra.runtime.output_dir = str(path.resolve())
        for page in ("help", "hydra_help"):
            hydra.hydra.pop(page)
    (path / ".hydra").mkdir(exist_ok=True)
    OmegaConf.save(settings, path / ".hydra" / "config.yaml")
    OmegaConf.save(hydra, path / ".hydra" / "hydra.yaml")
    OmegaConf.save(config.hydra.overrides.task, path / ".hydra" / "overrides.yaml")
