"""The life of one run in its folder: started, trained, ended with a status, whatever happens."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mtlrun.config.check import check
from mtlrun.config.explain import explain
from mtlrun.errors import MtlrunError, NonFiniteError, ProcessLost
from mtlrun.lines import one_line, path_from_here
from mtlrun.runs.folder import RunFolder


def train(
    config: DictConfig, folder: RunFolder, command: Sequence[str], resumed_from_step: int | None = None
) -> dict[str, Any]:
    """Train in the folder and return the summary; `run.json` says how it ended.

    Args:
        config: of the run, without `hydra`.
        folder: the run's own.
        command: the words of the command line.
        resumed_from_step: of the checkpoint to continue from; None for a new run.

    Raises:
        ResumeError: if another process runs in the folder.
        Exception: whatever training raises, after it was written down.
    """
    folder.start(command, config.seed, resumed_from_step)
    try:
        check(config)
        from mtlrun.config.execute import execute  # here: it loads torch, and a mistake above is told at once

        summary = execute(config, folder.path, resume=resumed_from_step is not None)
    except (KeyboardInterrupt, SystemExit):
        folder.finish("interrupted")
        raise
    except BaseException as error:
        folder.finish("failed", failure(error))
        _log(error, folder)
        raise
    folder.finish("finished")
    return summary


def failure(error: BaseException) -> str:
    """Why a run failed, in one line: a mistake's own words, or the error's kind and words."""
    known = explain(error)
    return one_line(known if known is not None else f"{type(error).__name__}: {error}".rstrip(": "))


def verdict(error: BaseException, folder: Path) -> tuple[int, str]:
    """Exit code and line for a run that failed: 2 for a mistake of the user's, 1 for anything else."""
    if explain(error) is not None:
        return 2, failure(error)
    return 1, f"{failure(error)} (details: {path_from_here(folder / 'run.log')})"


def _log(error: BaseException, folder: RunFolder) -> None:
    """Append the traceback to run.log, past the handlers: the terminal gets one line instead.

    A process without a log prints it, unless it is an error that all processes see alike.
    """
    if folder.writes:
        with folder.log.open("a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
    elif not isinstance(error, MtlrunError | NonFiniteError | ProcessLost):
        traceback.print_exception(error, file=sys.stderr)
