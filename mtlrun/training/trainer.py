"""The training loop. No method of balancing, sampling or sharing is known here by name."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

from mtlrun.commands import command_line
from mtlrun.data.source import Splits
from mtlrun.diagnostics.gradients import default_interval
from mtlrun.errors import Interrupted, NonFiniteError, ResumeError
from mtlrun.loggers.base import Logger
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.base import TrainingProgress
from mtlrun.samplers.batch_sampler import BatchIndices, BatchSampler, SamplerAtEpochStart
from mtlrun.training import checkpoint
from mtlrun.training.batches import BatchLoader, StepBatch
from mtlrun.training.checkpoint import RandomState, Stateful, network_state
from mtlrun.training.data_check import check_same_data
from mtlrun.training.devices import all_finite, reseed
from mtlrun.training.evaluate import Evaluator, Scores
from mtlrun.training.interrupt import Interrupt, exit_code
from mtlrun.training.pace import Pace
from mtlrun.training.progress import ProgressDisplay, ProgressFactory, TerminalProgress
from mtlrun.training.ranking import rank_rows
from mtlrun.training.recorder import MetricsTable, Recorder
from mtlrun.training.selection import Selection, TestScores
from mtlrun.training.settings import DiagnosticsSettings, TrainerSettings
from mtlrun.training.step import Stepper, train_step

log = logging.getLogger("mtlrun")

FLUSH_EVERY = 50
"""Steps between two looks at the device."""


class Position:
    """Where a training stands: the number of steps done, and the epoch of the last of them."""

    def __init__(self, steps_per_epoch: int) -> None:
        self.step, self._steps_per_epoch = 0, steps_per_epoch

    @property
    def epoch(self) -> int:
        return max(self.step - 1, 0) // self._steps_per_epoch

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "step": self.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.step = state["step"]


class Stopwatch:
    """Seconds of training, those before a resume included."""

    def __init__(self) -> None:
        self.seconds, self._since = 0.0, time.perf_counter()

    def restart(self) -> None:
        """Do not count what has passed since the last look."""
        self._since = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        return {"seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        seconds = float(state["seconds"])
        if not 0 <= seconds < math.inf:
            raise ValueError(f"{seconds} seconds")
        self.seconds = seconds


class Trainer:
    """Trains from wherever it stands to the end, and can be saved and loaded between any two steps.

    Each of several processes has all of it, for its own rows.

    Args:
        stepper: the network and what a step does with it.
        sampler, loader: which rows make up each batch, and how they get to the device.
        splits, evaluator: the rows, and what scores the network on them.
        settings, diagnostics: the nodes of that name.
        folder, logger: where everything is written.
        steps_per_epoch, total_steps: of the whole run.
        seed: of the random draws of processes other than the first, such as their dropout.
    """

    def __init__(
        self,
        *,
        stepper: Stepper,
        sampler: BatchSampler,
        loader: BatchLoader,
        splits: Splits,
        evaluator: Evaluator,
        settings: TrainerSettings,
        diagnostics: DiagnosticsSettings,
        folder: RunFolder,
        logger: Logger,
        steps_per_epoch: int,
        total_steps: int,
        seed: int = 0,
    ) -> None:
        self.stepper, self.model, self.tasks, self.engine = stepper, stepper.model, stepper.tasks, stepper.engine
        self.sampler, self.loader, self.splits, self.evaluator = sampler, loader, splits, evaluator
        self.settings, self.diagnostics, self.folder, self.logger = settings, diagnostics, folder, logger
        self.steps_per_epoch, self.total_steps, self.seed = steps_per_epoch, total_steps, seed
        self.ranks = stepper.engine.ranks
        self.position, self.stopwatch = Position(steps_per_epoch), Stopwatch()
        self.selection = Selection(
            self.tasks, settings.monitor, settings.patience, settings.select, settings.reference, settings.select_on
        )
        self.recorder = Recorder(
            folder, list(self.tasks), settings.log_every, self._measure_every(), logger, total_steps
        )
        self.metrics = MetricsTable(folder, logger)
        self.pace = Pace(stepper.optimizer, sampler.batch_size, logger)
        self.test_scores = TestScores(evaluator, splits.test, self.metrics, self._late_epoch_ends())
        self.epoch_start = SamplerAtEpochStart(sampler)
        self.stateful = self._stateful()

    def _stateful(self) -> dict[str, Stateful]:
        """Everything that changes from step to step, by its name in a checkpoint: saved and loaded in this order."""
        return {
            "model": self.model,
            "optimizer": self.stepper.optimizer,
            "schedule": self.stepper.schedule,
            "scaler": self.stepper.scaler,
            "balancer": self.engine.balancer,
            "engine": self.engine,
            "sampler": self.epoch_start,
            "selection": self.selection,
            "test_scores": self.test_scores,
            "stopwatch": self.stopwatch,
            "random": RandomState(),
            "recorder": self.recorder,  # last, since these roll files back: nothing is lost to a state that is refused
            "metrics": self.metrics,
        }

    def fit(self, progress: ProgressFactory = TerminalProgress) -> None:
        """Train to the end.

        Args:
            progress: makes the display of the progress.

        Raises:
            Interrupted: after SIGTERM or Ctrl-C, with everything saved.
            NonFiniteError: naming task and step; the last good checkpoint is kept.
            ProcessLost: if another process has gone.
        """
        self.stopwatch.restart()
        self.ranks.copy_from_first([tensor.detach() for tensor in (*self.model.parameters(), *self.model.buffers())])
        names, size = list(self.tasks), self.settings.batch_size
        with Interrupt() as interrupt, progress(self.total_steps, names, size, start=self.position.step) as display:
            while self.position.step < self.total_steps and not self.selection.exhausted():
                self._epoch(interrupt, display)

    def _epoch(self, interrupt: Interrupt, display: ProgressDisplay) -> None:
        """Train what is left of the current epoch, evaluate and save."""
        position, every = self.position, self.settings.checkpoint_every
        epoch = position.step // self.steps_per_epoch
        end = self._end_of(epoch)
        began = time.perf_counter()
        if position.step == epoch * self.steps_per_epoch:
            self.recorder.begin_epoch()
        self.pace.restart(position.step)
        for batch in self.loader.batches(self._drawn(epoch, end)):
            self._step(batch)
            display.update(position.step, epoch, self.recorder.latest)
            if position.step % FLUSH_EVERY == 0:
                self.recorder.flush()
                self.pace.tell(position.step)
            if self._interrupted(interrupt) and position.step < end:
                self._stop(interrupt)
            if every and position.step % every == 0 and position.step < end:
                self.save()
        self.recorder.flush()
        self.pace.tell(position.step)
        if self._epoch_is_whole():
            self.epoch_start.note()
            self.engine.balancer.end_epoch()
        self._finish_epoch(epoch, display, time.perf_counter() - began)
        if self._interrupted(interrupt) and position.step < self.total_steps:
            self._stop(interrupt)

    def _epoch_is_whole(self) -> bool:
        """False where `max_steps` has ended in the middle of an epoch: raised later, it ends only then."""
        return self.position.step % self.steps_per_epoch == 0

    def _drawn(self, epoch: int, end: int) -> Iterator[BatchIndices]:
        """The rows of the rest of the epoch's steps; drawn from its start, see `SamplerAtEpochStart`."""
        first, begin = epoch * self.steps_per_epoch, self.position.step
        if begin == first:
            if self.settings.drop_last:
                self.sampler.drop_rest()
            rank_rows(self.sampler, self.evaluator, self.splits.train, self._progress(first))
            self.epoch_start.note()
        for step in range(first, end):
            drawn = self.sampler.next(self._progress(step))
            if step >= begin:
                yield drawn

    def _step(self, batch: StepBatch) -> None:
        step = self.position.step
        if not self.ranks.first:
            reseed(self.seed, step, self.ranks.rank)  # a dropout of its own, and no state to save
        due = self.recorder.is_due(step)
        try:
            trace = train_step(self.stepper, batch, measure=due)
        except NonFiniteError as error:
            self.recorder.flush()  # a loss that went before explains more
            raise NonFiniteError(f"{error} at step {step}") from error
        measured = due and (trace.gram is not None or not self.engine.groups.shared)
        if measured:
            self.recorder.gates.add(step, self.model.sharing.gates(), batch.tasks_here)
        self.recorder.add(step, trace, batch.rows, measured)
        self.position.step += 1

    def _finish_epoch(self, epoch: int, display: ProgressDisplay, seconds: float) -> None:
        step = self.position.step
        due = step >= self.total_steps or (epoch + 1) % self.settings.eval_every == 0
        score, best = self._evaluate(epoch, display, seconds) if due else (None, False)
        if self._epoch_is_whole():
            defined = self.selection.defined(self.selection.validation["last"]) if due else 0
            self.stepper.schedule.after_epoch(score, defined)
        self.test_scores.after_epoch(epoch, step)
        self.save(best)

    def _evaluate(self, epoch: int, display: ProgressDisplay, seconds: float) -> tuple[float, bool]:
        """Score the network on validation rows; also whether it is the best so far."""
        evaluator, splits, step = self.evaluator, self.splits, self.position.step
        scores = evaluator.evaluate(splits.val)
        trained = evaluator.evaluate(splits.train, self.diagnostics.gap_rows) if self.diagnostics.gap_rows else {}
        gaps = {task: {"gap": scores[task]["loss"] - trained[task]["loss"]} for task in trained}
        score = self.selection.score(scores)
        self.metrics.write(epoch, step, "train", trained)
        for values in (scores, gaps, {"all": {"score": score}}):
            self.metrics.write(epoch, step, "val", values)
        test = self._test_score(epoch) if self.selection.on_test else None
        with_gaps = {task: values | gaps.get(task, {}) for task, values in scores.items()}
        best = self.selection.update(with_gaps, epoch, test)
        judged = {name: (task.judge, scores[name][task.judge]) for name, task in self.tasks.items()}
        display.update(step, epoch, self.recorder.epoch_means())  # not the last batch's losses
        display.report_epoch(epoch, judged, score, seconds)
        return score, best

    def _test_score(self, epoch: int) -> Scores:
        """Score the network on test rows, for a user who chooses the epoch by them."""
        step = self.position.step
        scores = self.test_scores.at(epoch, step)
        self.metrics.write(epoch, step, "test", {"all": {"score": self.selection.score(scores, "test")}})
        return scores

    def _interrupted(self, interrupt: Interrupt) -> bool:
        """Whether any process has received a signal: all must stop at the same step."""
        return self.ranks.any(interrupt.received is not None)

    def _stop(self, interrupt: Interrupt) -> None:
        self.recorder.flush()
        self.save()
        if self.folder.writes:
            again = command_line("mtlrun", "resume", str(self.folder.path))
            log.warning("interrupted at step %d; to go on: %s", self.position.step, again)
        received = [number for number in self.ranks.all_gather_object(interrupt.received) if number is not None]
        raise Interrupted(exit_code(received[0]))

    def save(self, best: bool = False) -> None:
        """Write last.pt: everything that the rest of the run depends on; then best.pt, if this is the best network.

        In this order: a best network that is not finite, or that last.pt does not know of, never takes the place of
        another. One that last.pt knows of and that was not written any more is made up for by `resume`.
        """
        self.recorder.flush()
        if not all_finite(self.model):
            raise NonFiniteError(f"a parameter became infinite or NaN by step {self.position.step}")
        self._write("last", self._scored() | checkpoint.states(self.stateful) | {"best": best})
        if best:
            self._write("best", self._scored())

    def _scored(self) -> dict[str, Any]:
        """What `eval` and `init_from` need of a checkpoint."""
        return network_state(self.model) | self.position.state_dict() | {"data": self.splits.fingerprint}

    def _write(self, name: str, state: Mapping[str, Any]) -> None:
        if self.folder.writes:
            self.folder.check_there()
            checkpoint.save(self.folder.checkpoints / f"{name}.pt", {**state})

    def resume(self, other_data: bool = False) -> int:
        """Load last.pt and roll the files back to it; without one, start over. Returns the step to go on from.

        The first process reads it for all: the number of processes may differ from before; data too if `other_data`.
        """
        path = self.folder.checkpoints / "last.pt"
        saved = self.ranks.broadcast_object(checkpoint.load(path) if self.ranks.first and path.exists() else None)
        if saved is not None:
            if saved["step"] > self.total_steps:
                end = f"beyond the {self.total_steps} steps of this run: raise trainer.epochs or trainer.max_steps"
                raise ResumeError(f"{path} is at step {saved['step']}, {end}")
            if not other_data:
                check_same_data(saved, self.splits, path)
            checkpoint.check_parts(saved, {*self.stateful, *self._scored(), "best"}, list(self.tasks), path)
            checkpoint.restore(self.stateful, saved, path)
            self.position.load_state_dict(saved)
            if saved.get("best"):
                self._write("best", {name: saved[name] for name in self._scored() if name in saved})
        else:
            self.recorder.clear()
            self.metrics.clear()
        return self.position.step

    def _progress(self, step: int) -> TrainingProgress:
        return TrainingProgress(step, step // self.steps_per_epoch, step / self.total_steps)

    def _end_of(self, epoch: int) -> int:
        """The step after which the epoch is over."""
        return min((epoch + 1) * self.steps_per_epoch, self.total_steps)

    def _late_epoch_ends(self) -> set[int]:
        """Ends of the last `trainer.test_last` epochs, if there is anything to average."""
        epochs, last = math.ceil(self.total_steps / self.steps_per_epoch), self.settings.test_last
        return {self._end_of(epoch) for epoch in range(max(epochs - last, 0), epochs)} if last > 1 else set()

    def _measure_every(self) -> int:
        if self.diagnostics.every is not None:
            return self.diagnostics.every
        return default_interval(len(self.tasks), self.engine.gram_is_free())
