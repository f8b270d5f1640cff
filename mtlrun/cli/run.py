"""A run or a sweep: Hydra does it, and what went wrong is told in one line."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from mtlrun.cli.flags import hydra_arguments
from mtlrun.cli.folders import Refused, RunFolders
from mtlrun.cli.hydra_app import run_hydra
from mtlrun.cli.terminal import complain, short
from mtlrun.config.explain import explain
from mtlrun.runs.reader import find_runs


def main(arguments: list[str]) -> int:
    """Train what the arguments say; return the exit code."""
    words = hydra_arguments(arguments)
    before = len(RunFolders.sweeps)
    code = _attempt(words)
    sweeps = RunFolders.sweeps[before:]
    return _close_sweep(sweeps[-1], code) if sweeps else code


def _attempt(words: list[str]) -> int:
    try:
        run_hydra(words)
    except Refused as refusal:
        return _tell(refusal.error)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        return _tell(error)
    return 0


def _tell(error: Exception) -> int:
    """One line for a mistake (2), a traceback for a bug of ours (1)."""
    line = explain(error)
    if line is None or os.environ.get("HYDRA_FULL_ERROR") == "1":
        traceback.print_exception(error, file=sys.stderr)
    if line is None:
        return 1
    complain(line)
    return 2


def _close_sweep(folder: Path, code: int) -> int:
    """Print the report of the sweep and write it into its folder; 1 if a job did not finish."""
    runs = find_runs(folder)
    if not runs:
        return code
    _report(folder)
    print(short(folder), flush=True)
    return code or int(any(run.status != "finished" for run in runs))


def _report(folder: Path) -> None:
    """Print the sweep's report, and leave it in the folder as report.md, report.csv and report.json."""
    from mtlrun.report.exports import write_beside
    from mtlrun.report.make import report
    from mtlrun.report.terminal import show_report

    made = report(folder)
    show_report(made)
    write_beside(made, folder)
