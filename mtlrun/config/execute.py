"""Train or evaluate one configuration in one run folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import nn

from mtlrun.config.build import build, build_evaluator
from mtlrun.errors import choose
from mtlrun.runs.folder import RunFolder
from mtlrun.training.checkpoint import load, load_model
from mtlrun.training.samples import draw_test_samples
from mtlrun.training.summary import summarise
from mtlrun.training.trainer import Trainer

log = logging.getLogger("mtlrun")


def execute(config: DictConfig, folder: Path, resume: bool = False) -> dict[str, Any]:
    """Train, test at the best validation epoch and at the last, draw plots; returns the summary.

    Raises:
        MtlrunError: a mistake of the user's, before training.
        NonFiniteError: a loss, gradient or parameter was not finite.
        Interrupted: SIGTERM or Ctrl-C was obeyed.
    """
    run = RunFolder(folder)
    trainer = build(config, run)
    run.note(device=str(trainer.parts.stepper.device))
    try:
        if resume:
            log.info("going on from step %d", trainer.resume())
        trainer.fit()
        summary = _test(trainer)
        run.write_summary(summary)
    finally:
        trainer.parts.logger.close()
    if trainer.diagnostics.plots:
        _plot(folder)
    return summary


def evaluate(config: DictConfig, folder: Path, checkpoint: str = "best", split: str = "test") -> dict[str, Any]:
    """Scores of a trained run on 'test' or 'val': task -> metric -> value.

    Raises:
        ResumeError: if there is no such checkpoint.
    """
    choose(split, ("test", "val"), "split")
    evaluator, model, splits = build_evaluator(config)
    _load(model, folder, checkpoint)
    return evaluator.evaluate(getattr(splits, split))


def _test(trainer: Trainer) -> dict[str, Any]:
    """Test scores of the last network and of the best one, which stays loaded for the pictures."""
    splits, evaluator = trainer.parts.splits, trainer.parts.evaluator
    last = evaluator.evaluate(splits.test)
    state = _load(trainer.parts.stepper.model, trainer.folder.path, "best")
    best_epoch, best_step = state["epoch"], state["step"]
    is_last = best_step == trainer.step
    best = last if is_last else evaluator.evaluate(splits.test)
    trainer.write_metrics(best_epoch, best_step, "test", best)
    if not is_last:
        trainer.write_metrics((trainer.step - 1) // trainer.steps_per_epoch, trainer.step, "test", last)
    if trainer.diagnostics.pictures:
        draw_test_samples(trainer.folder.plots, evaluator, splits.test, trainer.diagnostics.pictures)
    return summarise(trainer, {"best": best, "last": last})


def _load(model: nn.Module, folder: Path, name: str) -> dict[str, Any]:
    """Load a checkpoint's network into the model; returns the whole checkpoint."""
    path = folder / "checkpoints" / f"{choose(name, ('best', 'last'), 'checkpoint')}.pt"
    state = load(path)
    load_model(model, state["model"], path)
    return state


def _plot(folder: Path) -> None:
    from mtlrun.report.plots import plot_run
    from mtlrun.runs.reader import Run

    plot_run(Run(folder))
