"""What one process does for a run: build, resume or start from another, fit, test, sum up, draw. Loads torch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import nn

from mtlrun.blame import blaming_parts
from mtlrun.config.build import build, build_evaluator
from mtlrun.config.promises import check_parts_of
from mtlrun.data.fingerprint import difference
from mtlrun.data.source import Splits
from mtlrun.errors import choose
from mtlrun.experiment.endings import ending
from mtlrun.experiment.objective import check_objective
from mtlrun.experiment.samples import draw_test_samples
from mtlrun.experiment.summary import final_scores, summarise
from mtlrun.experiment.transfer import start_from, warn_of_frozen_chance
from mtlrun.experiment.worker import RemoteProgress
from mtlrun.gradients.ranks import Ranks
from mtlrun.inference.description import read as read_description
from mtlrun.inference.description import write as write_description
from mtlrun.inference.new_data import evaluate_on
from mtlrun.lines import RUN_LOG_ONLY
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run
from mtlrun.training.checkpoint import load, load_part
from mtlrun.training.data_check import check_same_data
from mtlrun.training.group import agreed, join_torchrun
from mtlrun.training.progress import ProgressFactory, TerminalProgress
from mtlrun.training.settings import Device
from mtlrun.training.trainer import Trainer

log = logging.getLogger("mtlrun")

_WEIGHTS = ("weights", "folder")
"""Options by which a backbone starts from a file."""


def train(
    config: DictConfig,
    folder: RunFolder,
    resume: bool,
    ranks: Ranks | None = None,
    progress: ProgressFactory | None = None,
) -> dict[str, Any]:
    """Train, test at the best validation epoch and at the last, draw plots; returns the summary, in every process.

    Args:
        config: of the run, checked.
        folder: of the run; only the first process writes into it.
        resume: go on from the folder's last checkpoint.
        ranks: the processes that train together; by default those that torchrun has started, or this one alone.
        progress: makes the display; by default the terminal's, in the first process.

    Raises:
        MtlrunError: a mistake of the user's, before training.
        NonFiniteError: a loss, gradient or parameter was not finite.
        Interrupted: SIGTERM or Ctrl-C was obeyed.
        ProcessLost: one of several processes died.
    """
    ranks = ranks or join_torchrun(Device(config.trainer.device))
    trainer = agreed(ranks, lambda: _ready(config, folder, resume, ranks))
    with _ending_told(trainer):
        if resume:
            log.info("going on from step %d", trainer.resume(config.allow_other_data))
        folder.note(str(trainer.stepper.device), ranks.size)
        if ranks.first:
            log.info("%s", trainer.selection.meaning())
        trainer.fit(progress or (TerminalProgress if ranks.first else RemoteProgress()))
        summary = ranks.broadcast_object(_test(trainer))
        folder.write_summary(summary)
        if folder.writes:
            _report(trainer, summary)
            _tell(trainer, summary)
    trainer.logger.end("finished", None)
    return summary


def evaluate(config: DictConfig, folder: Path, checkpoint: str, split: str) -> dict[str, Any]:
    """Scores of a trained run; see `mtlrun.experiment.run.evaluate`."""
    evaluator, model, splits = build_evaluator(config)
    state = _load(model, folder, checkpoint, Ranks())
    if not config.allow_other_data:
        check_same_data(state, splits, folder / "checkpoints" / f"{checkpoint}.pt")
    elif _are_others(state, splits) and read_description(folder) is not None:
        return evaluate_on(folder, [], checkpoint, split)  # by the means and scales of training, not by theirs
    return evaluator.evaluate(getattr(splits, split))


def _are_others(state: Mapping[str, Any], splits: Splits) -> bool:
    """Whether the checkpoint knows other data than these."""
    return bool(state.get("data")) and difference(state["data"], splits.fingerprint) is not None


def _ready(config: DictConfig, folder: RunFolder, resume: bool, ranks: Ranks) -> Trainer:
    """The trainer, its network as `init_from` says. A checkpoint to resume from has all of that already.

    The first process alone reads the other run; training begins with a copy of its network in all.
    """
    with blaming_parts():
        trainer = build(config, folder, ranks)
    if ranks.first:
        with blaming_parts(), _ending_told(trainer):
            _look_at(trainer, config, resume and (folder.checkpoints / "last.pt").exists())
    if folder.writes:
        write_description(folder.path, trainer.splits, trainer.tasks)
    return trainer


@contextmanager
def _ending_told(trainer: Trainer) -> Iterator[None]:
    """Loggers hear of an end before its time, and why."""
    try:
        yield
    except BaseException as error:
        trainer.logger.end(*ending(error))
        raise


def _look_at(trainer: Trainer, config: DictConfig, resumed: bool) -> None:
    """Check what only the built parts show; start a new run from another one if asked to."""
    check_parts_of(config, trainer)
    check_objective(config.objective, {name: task.directions for name, task in trainer.tasks.items()})
    if resumed:
        return
    if config.init_from is not None:
        start_from(config.init_from, trainer, config.allow_other_data)
    elif not any(config.backbone.get(option) for option in _WEIGHTS):
        warn_of_frozen_chance(trainer.model)


def _test(trainer: Trainer) -> dict[str, Any]:
    """Test scores of the last network and of the best one, which stays loaded for the pictures."""
    scores, position = trainer.test_scores, trainer.position
    last = scores.at(position.epoch, position.step)
    state = _load(trainer.model, trainer.folder.path, "best", trainer.ranks)
    best = scores.at(state["epoch"], state["step"])
    if trainer.diagnostics.pictures and trainer.folder.writes:
        draw_test_samples(trainer.folder.plots, trainer.evaluator, trainer.splits.test, trainer.diagnostics.pictures)
    return summarise(trainer, {"best": best, "last": last})


def _load(model: nn.Module, folder: Path, name: str, ranks: Ranks) -> dict[str, Any]:
    """Load a checkpoint's network into the model, in every process; returns the whole checkpoint."""
    path = folder / "checkpoints" / f"{choose(name, ('best', 'last'), 'checkpoint')}.pt"
    state = ranks.broadcast_object(load(path) if ranks.first else {})
    load_part("model", model, state["model"], path)
    return state


def _tell(trainer: Trainer, summary: dict[str, Any]) -> None:
    """Give the loggers the final scores, the pictures and the checkpoints."""
    logger, step = trainer.logger, trainer.position.step
    logger.summarise(final_scores(summary))
    for file in sorted(trainer.folder.plots.glob("*.png")):
        logger.picture(step, f"plots/{file.stem}", file)
    logger.checkpoints(trainer.folder.checkpoints)


def _report(trainer: Trainer, summary: dict[str, Any]) -> None:
    """Warn of results that should not be taken at face value, and draw the plots."""
    from mtlrun.diagnostics.trajectory import draw_trajectory  # here: they load matplotlib
    from mtlrun.reporting.doubts import doubts
    from mtlrun.reporting.plots import plot_run
    from mtlrun.reporting.tables import results_text

    for line in doubts(summary):
        log.warning(line)
    log.info("results\n%s", results_text(summary), extra=RUN_LOG_ONLY)
    if trainer.diagnostics.plots:
        plot_run(Run(trainer.folder.path))
        draw_trajectory(Run(trainer.folder.path), trainer.tasks)
