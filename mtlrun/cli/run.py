"""A run or a sweep: Hydra composes the configuration and calls `job`, and what went wrong is told in one line."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from mtlrun.cli.flags import hydra_arguments
from mtlrun.cli.folders import Refused, RunFolders, refuse_used
from mtlrun.cli.launching import prefer_ready_options
from mtlrun.cli.terminal import complain, show
from mtlrun.cli.together import claimed, goes_on
from mtlrun.commands import command_line
from mtlrun.config.explain import explain
from mtlrun.config.schema import register_schema
from mtlrun.config.whereabouts import look_in
from mtlrun.config.words import as_typed
from mtlrun.experiment.objective import Objective, objective_value
from mtlrun.experiment.run import run, verdict
from mtlrun.lines import path_from_here
from mtlrun.paths import CONF
from mtlrun.runs.reader import find_runs
from mtlrun.training.interrupt import exit_code
from mtlrun.troubles import trouble

TRACEBACKS = "MTLRUN_FULL_ERROR"
"""Set to 1 where the user asked Hydra for tracebacks; launchers' processes inherit it."""


def main(arguments: list[str]) -> int:
    """Train what the arguments say; return the exit code."""
    words = hydra_arguments(arguments)
    before = len(RunFolders.sweeps)
    code = attempt(partial(run_hydra, words))
    sweeps = RunFolders.sweeps[before:]
    return close_sweep(sweeps[-1], code) if sweeps else code


def run_hydra(arguments: list[str]) -> None:
    """Let Hydra read the arguments and call `job`.

    Raises:
        Exception: what Hydra raises, unformatted.
        SystemExit: from callbacks and jobs.
    """
    register_schema()
    prefer_ready_options()
    with _command_line(arguments), raw_errors():
        # An absolute path works from a checkout, an editable install and a wheel alike.
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(job)()


def job(config: DictConfig) -> Objective | None:
    """Train one configuration in the folder that Hydra made: a run, or one job of a sweep.

    A failed job of a sweep returns like any other, since some launchers stop the sweep at an exception: its
    status stands in run.json. A failed single run ends the command.

    Returns:
        What a sweeper maximises; None for a failed job, which Optuna then leaves out.
    """
    hydra = HydraConfig.get()
    path = Path(hydra.runtime.output_dir)
    sweeping = hydra.mode == RunMode.MULTIRUN
    # A job of a sweep is told by its own settings, which also train it alone.
    words = as_typed(hydra.overrides.task) if sweeping else sys.argv[1:]
    as_in_the_command()
    if sweeping:
        gc.collect()  # errors caught in Hydra and matplotlib hold the last job's network in cycles: free it
    try:
        folder = claimed(lambda: refuse_used(path), config)
        resume, alone = goes_on(folder, config), not sweeping
        summary = run(config, folder, ["mtlrun", *words], resume, checked=alone, alone=alone)
    except Exception as error:
        if not sweeping and os.environ.get(TRACEBACKS) == "1":
            raise
        code, line = verdict(error, path)
        complain(line, f"job {hydra.job.num}: " if sweeping else "")
        if not sweeping:
            sys.exit(code)
        return None
    if not sweeping and folder.writes:
        show_results(summary, path)
    return objective_value(summary, config.objective) if sweeping else None


def show_results(summary: dict[str, Any], folder: Path) -> None:
    """Print the table of results, then the folder as the last line."""
    from mtlrun.reporting.tables import results_table

    show(results_table(summary))
    print(path_from_here(folder), flush=True)


def as_in_the_command() -> None:
    """A launcher's process starts without the schema, and without the classes beside the user."""
    register_schema()
    prefer_ready_options()
    look_in(Path.cwd())


def attempt(work: Callable[[], object]) -> int:
    """Do the work and return the exit code: what goes wrong is told in one line."""
    try:
        work()
    except Refused as refusal:
        return _tell(refusal.error)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return exit_code(signal.SIGINT)
    except BrokenPipeError:
        raise
    except Exception as error:
        return _tell(error)
    return 0


def _tell(error: Exception) -> int:
    """One line for a mistake (2), a traceback for a bug of ours (1)."""
    line = explain(error) or _of_the_sweep(error)
    refused = trouble(error) if line is None else None
    if refused is not None:
        line = "{}: {}".format(*refused)
    asked = os.environ.get(TRACEBACKS, os.environ.get("HYDRA_FULL_ERROR"))  # the second is ours within raw_errors
    if line is None or asked == "1":
        traceback.print_exception(error, file=sys.stderr)
    if line is None:
        return 1
    complain(line)
    return 2 if explain(error) is not None else 1


def _of_the_sweep(error: Exception) -> str | None:
    """The line for what a launcher or a sweeper says of its jobs; None for anything else."""
    if not RunFolders.sweeps:
        return None
    again = command_line("mtlrun", "rerun", path_from_here(RunFolders.sweeps[-1]))
    if type(error).__name__ == "TerminatedWorkerError":
        return f"a process of the sweep was killed; to go on: {again}"
    if type(error).__module__.startswith("submitit"):
        return f"a job of the sweep ended without a result; to go on: {again}"
    if str(error).startswith("No trials are completed"):
        return "no job of the sweep has finished"
    return None


def close_sweep(folder: Path, code: int, show: bool = True) -> int:
    """Write the report of the sweep into its folder, and print it if `show`; 1 if a job did not finish."""
    runs = find_runs(folder)
    if not runs:
        return code
    _report(folder, show)
    print(path_from_here(folder), flush=True)
    return code or int(any(run.status != "finished" for run in runs))


def _report(folder: Path, show: bool) -> None:
    """Leave the sweep's report in the folder as report.md, report.csv, report.json and report.html."""
    from mtlrun.reporting.exports import write_beside
    from mtlrun.reporting.make import report
    from mtlrun.reporting.terminal import show_report

    made = report(path_from_here(folder))
    if show:
        show_report(made)
    write_beside(made, folder)


@contextmanager
def _command_line(arguments: list[str]) -> Iterator[None]:
    """Hydra reads `sys.argv`."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def raw_errors() -> Iterator[None]:
    """Have Hydra raise instead of printing; remember whether the user asked for tracebacks."""
    before = {name: os.environ.get(name) for name in ("HYDRA_FULL_ERROR", TRACEBACKS)}
    os.environ[TRACEBACKS] = before["HYDRA_FULL_ERROR"] or "0"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
