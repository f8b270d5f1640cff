"""One run from its start to its end, whatever happens. Every command that trains or evaluates enters here.

Loads no torch before it is needed: a mistake is told at once, and a process that only watches over others never does.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from mtlrun.commands import command_line
from mtlrun.config.check import check
from mtlrun.config.explain import explain
from mtlrun.config.words import portable
from mtlrun.errors import ConfigError, FolderLost, MtlrunError, NonFiniteError, ProcessLost, choose
from mtlrun.experiment.endings import failure
from mtlrun.lines import path_from_here
from mtlrun.runs.folder import RunFolder
from mtlrun.training.interrupt import pass_on
from mtlrun.training.settings import Device
from mtlrun.troubles import trouble

if TYPE_CHECKING:
    from mtlrun.experiment.worker import Worker


def run(
    config: DictConfig,
    folder: RunFolder,
    command: Sequence[str],
    resume: bool = False,
    checked: bool = True,
    alone: bool = True,
) -> dict[str, Any]:
    """Train in the folder and return the summary; `run.json` says how it ended.

    A continuation that is refused before it trains leaves `run.json` as it was, and a start leaves nothing.

    Args:
        config: of the run, without `hydra`.
        folder: the run's own.
        command: the words of the command line.
        resume: go on from the folder's last checkpoint, or from the start if the run was killed before its first one.
        checked: False for a job that a sweeper chose as it went: nobody has looked at its settings yet.
        alone: False for a job of a sweep, whose folder tells the report and `mtlrun rerun` that it was refused.

    Raises:
        ResumeError: if another process runs in the folder, or its last checkpoint is damaged.
        Exception: whatever training raises, after it was written down.
    """
    step, saved_at = _last_step(folder) if resume else None, folder.saved_at
    folder.start(command, config.seed, step)
    try:
        if not checked:
            check(config)
        summary = _in_processes(config, folder, resume)
    except (KeyboardInterrupt, SystemExit) as end:
        folder.finish("interrupted")
        pass_on(getattr(end, "code", None))
        raise
    except BaseException as error:
        refused = explain(error) is not None and not folder.trains and folder.saved_at == saved_at
        if refused and not resume and alone:
            folder.discard()
            raise
        if refused and resume:
            folder.withdraw(failure(error))  # nothing was trained: the checkpoint waits for another attempt
        else:
            folder.finish("failed", failure(error))
        _log(error, folder)
        raise
    folder.finish("finished")
    return summary


def evaluate(
    config: DictConfig, folder: Path, checkpoint: str = "best", split: str = "test", data: Sequence[str] = ()
) -> dict[str, Any]:
    """Scores of a trained run on 'test' or 'val': task -> metric -> value; of other data with settings `data`.

    Raises:
        ResumeError: if there is no such checkpoint.
    """
    choose(split, ("test", "val"), "split")
    if data:
        from mtlrun.inference.new_data import evaluate_on  # here: it loads torch

        return evaluate_on(folder, data, checkpoint, split)
    from mtlrun.experiment import train  # here: it loads torch

    return train.evaluate(config, folder, checkpoint, split)


def verdict(error: BaseException, folder: Path) -> tuple[int, str]:
    """Exit code and line for a run that failed: 2 for a mistake of the user's, 1 for anything else."""
    if explain(error) is not None:
        return 2, failure(error)
    if isinstance(error, FolderLost):
        return 1, failure(error)
    refused = trouble(error)
    if refused is not None:
        again = command_line("mtlrun", "resume", path_from_here(folder))
        return 1, f"{failure(error)}; {refused[1]}, then: {again}"
    return 1, f"{failure(error)} (details: {path_from_here(folder / 'run.log')})"


def _in_processes(config: DictConfig, folder: RunFolder, resume: bool) -> dict[str, Any]:
    """Train in this process, which may be one of torchrun's, or in `trainer.devices` new ones, which end together."""
    try:
        if config.trainer.devices > 1:
            from mtlrun.experiment.worker_group import run_together  # here: one process does without

            plain = portable(config)  # resolvers of the user's are known here only
            return run_together(config.trainer.devices, train_as_worker, plain, folder.path, resume)
        from mtlrun.experiment.train import train  # here: it loads torch

        return train(config, folder, resume)
    except ProcessLost as error:
        again = command_line("mtlrun", "resume", str(folder.path))
        raise ProcessLost(f"{error}; to go on: {again}") from error
    except FileNotFoundError:
        folder.check_there()  # which says what a path alone does not
        raise


def train_as_worker(worker: Worker, plain: dict[str, Any], path: Path, resume: bool) -> dict[str, Any]:
    """Train as one of the new processes."""
    config = OmegaConf.create(plain)
    try:
        from mtlrun.experiment.train import train
        from mtlrun.training.group import join_in_file

        ranks = join_in_file(worker.meeting, worker.rank, worker.size, Device(config.trainer.device))
        return train(config, RunFolder(path, writes=ranks.first), resume, ranks, worker.progress)
    except Exception as error:
        line = explain(error)
        if line is None or isinstance(error, MtlrunError):
            raise
        raise ConfigError(line) from error  # Hydra's errors cannot be sent as they are


def _last_step(folder: RunFolder) -> int:
    """Step of the last checkpoint; 0 without one, and in a process that does not write it down."""
    path = folder.checkpoints / "last.pt"
    if not folder.writes or not path.exists():
        return 0
    from mtlrun.training.checkpoint import load  # here: it loads torch

    return int(load(path)["step"])


def _log(error: BaseException, folder: RunFolder) -> None:
    """Append the traceback to run.log, past the handlers: the terminal gets one line instead.

    A process without a log prints it, unless it is an error that all processes see alike.
    """
    if folder.writes:
        with suppress(OSError), folder.log.open("a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
    elif not isinstance(error, MtlrunError | NonFiniteError | ProcessLost):
        traceback.print_exception(error, file=sys.stderr)
