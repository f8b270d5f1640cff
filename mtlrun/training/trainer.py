"""The training loop. No method of balancing, sampling or sharing is known here by name."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mtlrun.data.source import Splits
from mtlrun.diagnostics.gradients import default_interval
from mtlrun.errors import Interrupted, NonFiniteError
from mtlrun.gradients.ranks import Ranks
from mtlrun.loggers.base import Logger
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.records import METRICS
from mtlrun.samplers.base import Moment
from mtlrun.samplers.draw import Draw, Drawer
from mtlrun.training import checkpoint
from mtlrun.training.devices import all_finite, reseed
from mtlrun.training.evaluate import Evaluator, Scores
from mtlrun.training.interrupt import Interrupt, exit_code
from mtlrun.training.loader import Loader, StepBatch
from mtlrun.training.progress import ProgressDisplay, ProgressFactory, TerminalProgress
from mtlrun.training.ranking import rank_rows
from mtlrun.training.recorder import Recorder
from mtlrun.training.schedule import Schedule
from mtlrun.training.selection import Selection
from mtlrun.training.settings import DiagnosticsSettings, TrainerSettings
from mtlrun.training.state import load_state, scored_state, state_of
from mtlrun.training.step import Stepper, train_step
from mtlrun.training.testing import test_if_late

log = logging.getLogger("mtlrun")

FLUSH_EVERY = 50
"""Steps between two looks at the device."""


@dataclass
class Parts:
    """Everything that a training run is made of. Each of the processes in `ranks` has all of it, for its own rows."""

    stepper: Stepper
    schedule: Schedule
    drawer: Drawer
    loader: Loader
    evaluator: Evaluator
    splits: Splits
    logger: Logger
    ranks: Ranks = field(default_factory=Ranks)
    seed: int = 0


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
        self.tested: dict[int, Scores] = {}  # by step, see `testing`
        self.metrics = folder.table(folder.metrics_csv, METRICS)
        self.drawer_at_epoch = parts.drawer.state_dict()
        self._measure_every = self._interval()
        self.last_measured = -self._measure_every
        self._started = time.perf_counter()

    def fit(self, progress: ProgressFactory = TerminalProgress) -> None:
        """Train to the end.

        Args:
            progress: makes the display of the progress.

        Raises:
            Interrupted: after SIGTERM or Ctrl-C, with everything saved.
            NonFiniteError: naming task and step; the last good checkpoint is kept.
            ProcessLost: if another process has gone.
        """
        self._started = time.perf_counter()
        model = self.parts.stepper.model
        self.parts.ranks.copy_from_first([tensor.detach() for tensor in (*model.parameters(), *model.buffers())])
        names, size = list(self.tasks), self.settings.batch_size
        with Interrupt() as interrupt, progress(self.total_steps, names, size, start=self.step) as display:
            while self.step < self.total_steps and not self.selection.exhausted():
                self._epoch(interrupt, display)

    def _epoch(self, interrupt: Interrupt, progress: ProgressDisplay) -> None:
        """Train what is left of the current epoch, evaluate and save."""
        epoch = self.step // self.steps_per_epoch
        end = min((epoch + 1) * self.steps_per_epoch, self.total_steps)
        began = time.perf_counter()
        for batch in self.parts.loader.batches(self._draws(epoch, end)):
            self._train_step(batch, progress, epoch)
            if self.step % FLUSH_EVERY == 0:
                self.recorder.flush()
            if self._interrupted(interrupt) and self.step < end:
                self._stop(interrupt)
            if self.settings.checkpoint_every and self.step % self.settings.checkpoint_every == 0 and self.step < end:
                self.save()
        self.recorder.flush()
        self.parts.stepper.engine.balancer.end_epoch()
        self._finish_epoch(epoch, progress, time.perf_counter() - began)
        if self._interrupted(interrupt) and self.step < self.total_steps:
            self._stop(interrupt)

    def _draws(self, epoch: int, end: int) -> Iterator[Draw]:
        """The rest of the epoch's draws. The drawer stands at the epoch's start: a resumed run walks up to its step."""
        first = epoch * self.steps_per_epoch
        drawer = self.parts.drawer
        if self.step == first:
            rank_rows(drawer, self.parts.evaluator, self.parts.splits.train, self._moment(first))
        self.drawer_at_epoch = drawer.state_dict()
        begin = self.step
        for step in range(first, end):
            draw = drawer.next(self._moment(step))
            if step >= begin:
                yield draw

    @property
    def epoch(self) -> int:
        """That of the last step."""
        return max(self.step - 1, 0) // self.steps_per_epoch

    def _moment(self, step: int) -> Moment:
        return Moment(step, step // self.steps_per_epoch, step / self.total_steps)

    def _train_step(self, batch: StepBatch, progress: ProgressDisplay, epoch: int) -> None:
        due = self._measure_every > 0 and self.step - self.last_measured >= self._measure_every
        if not self.parts.ranks.first:
            reseed(self.parts.seed, self.step, self.parts.ranks.rank)  # a dropout of its own, and no state to save
        try:
            trace = train_step(self.parts.stepper, batch, measure=due)
        except NonFiniteError as error:
            self.recorder.flush()  # a loss that went before explains more
            raise NonFiniteError(f"{error} at step {self.step}") from error
        self.parts.schedule.after_step()
        measured = due and (trace.gram is not None or not self.parts.stepper.engine.parts.shared)
        if measured:
            self.last_measured = self.step
            self.recorder.gates.add(self.step, self.parts.stepper.model.sharing.gates(), batch.tasks)
        self.recorder.add(self.step, trace, batch.rows, measured)
        self.step += 1
        progress.update(self.step, epoch, self.recorder.latest)

    def _finish_epoch(self, epoch: int, progress: ProgressDisplay, seconds: float) -> None:
        last = self.step >= self.total_steps
        score = (
            self._evaluate(epoch, progress, seconds) if last or (epoch + 1) % self.settings.eval_every == 0 else None
        )
        latest = self.validation["last"] if score is not None else None
        self.parts.schedule.after_epoch(score, 0 if latest is None else self.selection.defined(latest))
        better = latest is not None and self.selection.update(latest, epoch)
        if better:
            self.validation["best"] = self.validation["last"]
            self._write("best", scored_state(self, epoch))
        test_if_late(self, epoch)
        self.save()

    def _evaluate(self, epoch: int, progress: ProgressDisplay, seconds: float) -> float:
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
        self.metrics.append([(epoch, step, split, *row) for row in rows])
        self.parts.logger.log(step, {f"{split}/{task}/{metric}": value for task, metric, value in rows})

    def _interrupted(self, interrupt: Interrupt) -> bool:
        """Whether any process has received a signal: all must stop at the same step."""
        return self.parts.ranks.any(interrupt.received is not None)

    def _stop(self, interrupt: Interrupt) -> None:
        self.recorder.flush()
        self.save()
        if self.folder.writes:
            log.warning("interrupted at step %d; to go on: mtlrun resume %s", self.step, self.folder.path)
        received = [number for number in self.parts.ranks.gathered(interrupt.received) if number is not None]
        raise Interrupted(exit_code(received[0]))

    def _interval(self) -> int:
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
        self._write("last", state_of(self))

    def _write(self, name: str, state: dict[str, Any]) -> None:
        if self.folder.writes:
            checkpoint.save(self.folder.checkpoints / f"{name}.pt", state)

    def resume(self, other_data: bool = False) -> int:
        """Load last.pt and roll the files back to it; without one, start over. Returns the step to go on from.

        The first process reads it for all: the number of processes may differ from before; data too if `other_data`.
        """
        path = self.folder.checkpoints / "last.pt"
        ranks = self.parts.ranks
        state = ranks.told_by_first(checkpoint.load(path) if ranks.first and path.exists() else None)
        if state is not None:
            load_state(self, state, path, other_data)
        else:
            self.recorder.load_state_dict(None)
            self.metrics.truncate(0)
        return self.step
