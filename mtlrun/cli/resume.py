"""`mtlrun resume RUN [key=value ...]`: continue a run in its folder, to the numbers it would have had."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from omegaconf import DictConfig

from mtlrun.cli.logs import logging_to
from mtlrun.cli.run import show_results
from mtlrun.cli.terminal import complain
from mtlrun.cli.together import claimed
from mtlrun.config.saved import change, is_longer, load_config, recorded
from mtlrun.config.whereabouts import look_in, started_in
from mtlrun.errors import ResumeError
from mtlrun.experiment.run import run, verdict
from mtlrun.runs.reader import Run, find_run


def main(arguments: list[str]) -> int:
    """Continue the run that the first argument names; return the exit code."""
    if not arguments:
        raise ResumeError("name the run to continue: mtlrun resume RUN [key=value ...]")
    path, words = find_run(arguments[0]), arguments[1:]
    before = load_config(path)
    look_in(started_in(path))
    config = change(before, words)
    try:
        return _continue(path, before, config, words)
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exception(error, file=sys.stderr)
        code, line = verdict(error, path)
        complain(line)
        return code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def _unended(path: Path, before: DictConfig, config: DictConfig) -> Path:
    """The path, if there is something to go on with."""
    status = Run(path).status
    if status == "running":
        raise ResumeError(f"{path} is still running: wait for it to end, or stop it first")
    if status == "finished" and not is_longer(config, before):
        raise ResumeError(
            f"{path} is finished: to train on, raise trainer.epochs (now {before.trainer.epochs})"
            + (f" or trainer.max_steps (now {before.trainer.max_steps})" if before.trainer.max_steps else "")
        )
    return path


def _continue(path: Path, before: DictConfig, config: DictConfig, words: list[str]) -> int:
    folder = claimed(lambda: _unended(path, before, config), config)
    with logging_to(folder.log if folder.writes else None, console=folder.writes), recorded(folder, words):
        summary = run(config, folder, ["mtlrun", "resume", str(path), *words], resume=True)
    if folder.writes:
        show_results(summary, path)
    return 0
