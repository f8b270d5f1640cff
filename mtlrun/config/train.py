"""Train or evaluate one configuration in this process, which may be one of several that do it together."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import nn

from mtlrun.config.build import build, build_evaluator
from mtlrun.config.origin import origin
from mtlrun.errors import ConfigError, ResumeError, choose
from mtlrun.gradients.ranks import Ranks
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run
from mtlrun.training.checkpoint import load, load_model
from mtlrun.training.data_check import check_same_data, check_untrained
from mtlrun.training.group import agreed
from mtlrun.training.model import MultiTaskModel
from mtlrun.training.progress import Progress
from mtlrun.training.relay import ShownFactory
from mtlrun.training.samples import draw_test_samples
from mtlrun.training.summary import summarise
from mtlrun.training.testing import test
from mtlrun.training.trainer import Trainer
from mtlrun.training.transfer import Learned, transfer

log = logging.getLogger("mtlrun")

_WEIGHTS = ("weights", "folder")
"""Options by which a backbone starts from a file."""


def train(
    config: DictConfig, folder: Path, resume: bool, ranks: Ranks, shown: ShownFactory = Progress
) -> dict[str, Any]:
    """Train, test at the best validation epoch and at the last, draw plots; returns the summary, in every process.

    Raises: see `mtlrun.config.execute.execute`.
    """
    run = RunFolder(folder, writes=ranks.first)
    trainer = agreed(ranks, lambda: _ready(config, run, resume, ranks))
    run.note(str(trainer.parts.stepper.device), ranks.size)
    try:
        if resume:
            log.info("going on from step %d", trainer.resume(config.allow_other_data))
        trainer.fit(shown)
        summary = ranks.told_by_first(_test(trainer))
        run.write_summary(summary)
    finally:
        trainer.parts.logger.close()
    if run.writes:
        _report(trainer, summary)
    return summary


def evaluate(config: DictConfig, folder: Path, checkpoint: str, split: str) -> dict[str, Any]:
    """Scores of a trained run; see `mtlrun.config.execute.evaluate`."""
    evaluator, model, splits = build_evaluator(config)
    state = _load(model, folder, checkpoint, Ranks())
    if not config.allow_other_data:
        check_same_data(state, splits, folder / "checkpoints" / f"{checkpoint}.pt")
    return evaluator.evaluate(getattr(splits, split))


def _ready(config: DictConfig, run: RunFolder, resume: bool, ranks: Ranks) -> Trainer:
    """The trainer, its network as `init_from` says. A checkpoint to resume from has all of that already.

    The first process alone reads the other run; training begins with a copy of its network in all.
    """
    trainer = build(config, run, ranks)
    resumed = resume and Path(run.path, "checkpoints", "last.pt").exists()
    if ranks.first and not resumed:
        if config.init_from is not None:
            _start_from(config.init_from, trainer, config.allow_other_data)
        elif not any(config.backbone.get(option) for option in _WEIGHTS):
            _warn_of_frozen_chance(trainer.parts.stepper.model)
    return trainer


def _warn_of_frozen_chance(model: MultiTaskModel) -> None:
    frozen = model.frozen_stages()
    if frozen:
        found = f"{frozen[0]} to {frozen[-1]}" if len(frozen) > 2 else " and ".join(frozen)
        log.warning("%s of the backbone stay as drawn at random: give init_from=RUN, or weights to the backbone", found)


def _start_from(word: str, trainer: Trainer, other_data: bool) -> None:
    path = origin(word)
    try:
        state = load(path)
    except ResumeError as error:
        raise ConfigError(f"init_from={word}: {error}") from error
    if not isinstance(state, dict) or "model" not in state:
        raise ConfigError(f"init_from={word}: no network of a run; weights of a backbone go to backbone.weights")
    if not other_data:
        check_untrained(state, trainer.parts.splits, word)
    model = trainer.parts.stepper.model
    found = transfer(model, Learned.of(state))
    if not found.learned:
        raise ConfigError(f"init_from={word}: no tensor has a name and shape of this network's: same backbone options?")
    epoch, balancer = state.get("epoch"), Run(path.parent.parent).choices.get("balancer", "unknown")
    level = logging.WARNING if found.new.keys() & {*model.stages()} else logging.INFO  # a fresh stage spoils the rest
    log.log(level, "took %s [%s: balancer %s, epoch %s]", found, path, balancer, epoch)
    trainer.folder.note_origin(path, epoch)


def _test(trainer: Trainer) -> dict[str, Any]:
    """Test scores of the last network and of the best one, which stays loaded for the pictures."""
    splits, evaluator = trainer.parts.splits, trainer.parts.evaluator
    last = test(trainer, trainer.epoch, trainer.step)
    state = _load(trainer.parts.stepper.model, trainer.folder.path, "best", trainer.parts.ranks)
    best = test(trainer, state["epoch"], state["step"])
    if trainer.diagnostics.pictures and trainer.folder.writes:
        draw_test_samples(trainer.folder.plots, evaluator, splits.test, trainer.diagnostics.pictures)
    return summarise(trainer, {"best": best, "last": last})


def _load(model: nn.Module, folder: Path, name: str, ranks: Ranks) -> dict[str, Any]:
    """Load a checkpoint's network into the model, in every process; returns the whole checkpoint."""
    path = folder / "checkpoints" / f"{choose(name, ('best', 'last'), 'checkpoint')}.pt"
    state = ranks.told_by_first(load(path) if ranks.first else {})
    load_model(model, state["model"], path)
    return state


def _report(trainer: Trainer, summary: dict[str, Any]) -> None:
    """Warn of results that should not be taken at face value, and draw the plots."""
    from mtlrun.diagnostics.trajectory import draw_trajectory  # here: they load matplotlib
    from mtlrun.report.doubts import doubts
    from mtlrun.report.plots import plot_run

    for line in doubts(summary):
        log.warning(line)
    if trainer.diagnostics.plots:
        plot_run(Run(trainer.folder.path))
        draw_trajectory(Run(trainer.folder.path), trainer.tasks)
