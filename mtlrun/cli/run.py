"""A run or a sweep: Hydra does it, and what went wrong is told in one line."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

from mtlrun.cli.flags import hydra_arguments
from mtlrun.cli.folders import Refused, RunFolders
from mtlrun.cli.hydra_app import run_hydra
from mtlrun.cli.terminal import complain, show
from mtlrun.config.explain import explain
from mtlrun.lines import path_from_here
from mtlrun.runs.reader import find_runs
from mtlrun.training.interrupt import exit_code


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
        return exit_code(signal.SIGINT)
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
    """Print how each job of the sweep ended; 1 if one of them failed."""
    from mtlrun.report.tables import sweep_table

    runs = find_runs(folder)
    if not runs:
        return code
    show(sweep_table(runs))
    print(path_from_here(folder), flush=True)
    return code or int(any(run.status != "finished" for run in runs))
