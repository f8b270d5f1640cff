"""The training loop. No method of balancing, sampling or sharing is known here by name."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mtlrun.data.source import Splits
from mtlrun.diagnostics.gradients import default_interval
from mtlrun.errors import Interrupted, NonFiniteError
from mtlrun.loggers.base import Logger
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.records import METRICS, Table
from mtlrun.samplers.base import Moment
from mtlrun.samplers.draw import Draw, Drawer
from mtlrun.training import checkpoint
from mtlrun.training.devices import all_finite, rng_state, set_rng_state
from mtlrun.training.evaluate import Evaluator, Scores
from mtlrun.training.interrupt import Interrupt
from mtlrun.training.loader import Loader
from mtlrun.training.optim import Schedule
from mtlrun.training.progress import Progress
from mtlrun.training.ranking import rank_rows
from mtlrun.training.recorder import Recorder
from mtlrun.training.selection import Selection
from mtlrun.training.settings import DiagnosticsSettings, TrainerSettings
from mtlrun.training.step import Stepper, train_step

log = logging.getLogger("mtlrun")

FLUSH_EVERY = 50
"""Steps between two looks at the device."""


@dataclass
class Parts:
    """Everything that a training run is made of."""

    stepper: Stepper
    schedule: Schedule
    drawer: Drawer
    loader: Loader
    evaluator: Evaluator
    splits: Splits
    logger: Logger


class Trainer:
    """Trains from wherever it stands to the end, and can be saved and loaded between any two steps.

    Args:
        parts: built from the configuration.
        settings, diagnostics: the nodes of that name.
        folder: of the run.
        steps_per_epoch, total_steps: of the whole run.
    """

    def __init__(
        self,
        parts: Parts,
        settings: TrainerSettings,
        diagnostics: DiagnosticsSettings,
        folder: RunFolder,
        steps_per_epoch: int,
        total_steps: int,
    ) -> None:
        self.parts, self.settings, self.diagnostics, self.folder = parts, settings, diagnostics, folder
        self.steps_per_epoch, self.total_steps = steps_per_epoch, total_steps
        self.tasks = parts.stepper.tasks
        self.step = 0
        self.selection = Selection(self.tasks, settings.monitor, settings.patience)
        self.recorder = Recorder(folder, list(self.tasks), settings.log_every, parts.logger)
        self.seconds = 0.0
        self.validation: dict[str, Scores] = {}
        self._metrics = Table(folder.metrics_csv, METRICS)
        self._drawer_at_epoch = parts.drawer.state_dict()
        self._measure_every = self._interval()
        self._last_measured = -self._measure_every
        self._started = time.perf_counter()

    def fit(self) -> None:
        """Train to the end.

        Raises:
            Interrupted: after SIGTERM or Ctrl-C, with everything saved.
            NonFiniteError: naming task and step; the last good checkpoint is kept.
        """
        self._started = time.perf_counter()
        names, size = list(self.tasks), self.settings.batch_size
        with Interrupt() as interrupt, Progress(self.total_steps, names, size, start=self.step) as progress:
            while self.step < self.total_steps and not self.selection.exhausted():
                self._epoch(interrupt, progress)

    def _epoch(self, interrupt: Interrupt, progress: Progress) -> None:
        """Train what is left of the current epoch, evaluate and save."""
        epoch = self.step // self.steps_per_epoch
        end = min((epoch + 1) * self.steps_per_epoch, self.total_steps)
        began = time.perf_counter()
        for batch in self.parts.loader.batches(self._draws(epoch, end)):
            self._train_step(batch, progress, epoch)
            if self.step % FLUSH_EVERY == 0:
                self.recorder.flush()
            if interrupt.received is not None and self.step < end:
                self._stop(interrupt)
            if self.settings.checkpoint_every and self.step % self.settings.checkpoint_every == 0 and self.step < end:
                self.save()
        self.recorder.flush()
        self.parts.stepper.engine.balancer.end_epoch()
        self._finish_epoch(epoch, progress, time.perf_counter() - began)
        if interrupt.received is not None and self.step < self.total_steps:
            self._stop(interrupt)

    def _draws(self, epoch: int, end: int) -> Iterator[Draw]:
        """The rest of the epoch's draws. The drawer stands at the epoch's start: a resumed run walks up to its step."""
        first = epoch * self.steps_per_epoch
        drawer = self.parts.drawer
        if self.step == first:
            rank_rows(drawer, self.parts.evaluator, self.parts.splits.train, self._moment(first))
        self._drawer_at_epoch = drawer.state_dict()
        begin = self.step
        for step in range(first, end):
            draw = drawer.next(self._moment(step))
            if step >= begin:
                yield draw

    def _moment(self, step: int) -> Moment:
        return Moment(step, step // self.steps_per_epoch, step / self.total_steps)

    def _train_step(self, batch: Any, progress: Progress, epoch: int) -> None:
        due = self._measure_every > 0 and self.step - self._last_measured >= self._measure_every
        try:
            trace = train_step(self.parts.stepper, batch, measure=due)
        except NonFiniteError as error:
            self.recorder.flush()  # a loss that went before explains more
            raise NonFiniteError(f"{error} at step {self.step}") from error
        self.parts.schedule.after_step()
        measured = due and trace.gram is not None
        if measured:
            self._last_measured = self.step
        self.recorder.add(self.step, trace, batch.counts, measured)
        self.step += 1
        progress.update(self.step, epoch, self.recorder.latest)

    def _finish_epoch(self, epoch: int, progress: Progress, seconds: float) -> None:
        last = self.step >= self.total_steps
        score = (
            self._evaluate(epoch, progress, seconds) if last or (epoch + 1) % self.settings.eval_every == 0 else None
        )
        self.parts.schedule.after_epoch(score)
        better = score is not None and self.selection.update(score, epoch)
        if better:
            self.validation["best"] = self.validation["last"]
            state = {"model": self.parts.stepper.model.state_dict(), "epoch": epoch, "step": self.step}
            checkpoint.save(self.folder.checkpoints / "best.pt", state)
        self.save()

    def _evaluate(self, epoch: int, progress: Progress, seconds: float) -> float:
        evaluator, splits = self.parts.evaluator, self.parts.splits
        scores = evaluator.evaluate(splits.val)
        seen = evaluator.evaluate(splits.train, self.diagnostics.gap_rows) if self.diagnostics.gap_rows else {}
        score = self.selection.score(scores)
        gaps = {task: {"gap": scores[task]["loss"] - seen[task]["loss"]} for task in seen}
        for split, values in (
            ("train", seen),
            ("val", scores),
            ("val", gaps),
            ("val", {"all": {"score": score}}),
        ):
            self.write_metrics(epoch, self.step, split, values)
        self.validation["last"] = {task: values | gaps.get(task, {}) for task, values in scores.items()}
        judged = {name: (task.judge, scores[name][task.judge]) for name, task in self.tasks.items()}
        progress.report_epoch(epoch, judged, score, seconds)
        return score

    def write_metrics(self, epoch: int, step: int, split: str, scores: Scores) -> None:
        """Append to metrics.csv and to the logger."""
        rows = [(task, metric, value) for task, values in scores.items() for metric, value in values.items()]
        self._metrics.append([(epoch, step, split, *row) for row in rows])
        self.parts.logger.log(step, {f"{split}/{task}/{metric}": value for task, metric, value in rows})

    def _stop(self, interrupt: Interrupt) -> None:
        self.recorder.flush()
        self.save()
        log.warning("interrupted at step %d; to go on: mtlrun resume %s", self.step, self.folder.path)
        raise Interrupted(interrupt.exit_code())

    def _interval(self) -> int:
        if not self.parts.stepper.engine.parts.shared:
            return 0
        if self.diagnostics.every is not None:
            return self.diagnostics.every
        return default_interval(len(self.tasks), self.parts.stepper.engine.gram_is_free())

    def save(self) -> None:
        """Write last.pt: everything that the rest of the run depends on."""
        self.recorder.flush()
        if not all_finite(self.parts.stepper.model):
            raise NonFiniteError(f"a parameter became infinite or NaN by step {self.step}")
        self.seconds += time.perf_counter() - self._started
        self._started = time.perf_counter()
        checkpoint.save(self.folder.checkpoints / "last.pt", self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        parts, stepper = self.parts, self.parts.stepper
        at_epoch_end = self.step % self.steps_per_epoch == 0
        return {
            "model": stepper.model.state_dict(),
            "optimizer": stepper.optimizer.state_dict(),
            "schedule": parts.schedule.state_dict(),
            "scaler": stepper.scaler.state_dict(),
            "balancer": stepper.engine.balancer.state_dict(),
            "engine": stepper.engine.state_dict(),
            "drawer": parts.drawer.state_dict() if at_epoch_end else self._drawer_at_epoch,
            "recorder": self.recorder.state_dict(),
            "selection": self.selection.state_dict(),
            "metrics_size": self._metrics.size(),
            "validation": self.validation,
            "rng": rng_state(),
            "step": self.step,
            "last_measured": self._last_measured,
            "seconds": self.seconds,
        }

    def resume(self) -> int:
        """Load last.pt and roll the files back to it; without one, start over. Returns the step to go on from."""
        path = self.folder.checkpoints / "last.pt"
        if not path.exists():
            self.recorder.load_state_dict(None)
            self._metrics.truncate(0)
            return 0
        state = checkpoint.load(path)
        parts, stepper = self.parts, self.parts.stepper
        checkpoint.load_model(stepper.model, state["model"], path)
        stepper.optimizer.load_state_dict(state["optimizer"])
        parts.schedule.load_state_dict(state["schedule"])
        stepper.scaler.load_state_dict(state["scaler"])
        stepper.engine.balancer.load_state_dict(state["balancer"])
        stepper.engine.load_state_dict(state["engine"])
        parts.drawer.load_state_dict(state["drawer"])
        self.recorder.load_state_dict(state["recorder"])
        self.selection.load_state_dict(state["selection"])
        self._metrics.truncate(state["metrics_size"])
        set_rng_state(state["rng"])
        self.validation, self.seconds = state["validation"], state["seconds"]
        self.step, self._last_measured = state["step"], state["last_measured"]
        return self.step
