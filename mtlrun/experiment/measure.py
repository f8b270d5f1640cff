"""How long a training would take, from a few of its steps. Loads torch; `python -m mtlrun.experiment.measure`."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mtlrun.config.build import build
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.errors import MtlrunError
from mtlrun.lines import reason
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.base import TrainingProgress
from mtlrun.training.batches import StepBatch
from mtlrun.training.step import train_step
from mtlrun.training.trainer import Trainer

WARM_UP, MOST_STEPS, MOST_SECONDS = 2, 20, 10.0
_ROWS = 256  # that are evaluated


def measure(words: Sequence[str]) -> dict[str, Any]:
    """Of the run of these settings: {"hours": h}, or {"needs": line} where it cannot be built.

    The time is that of its steps and of its evaluations, measured on a few of each and multiplied.
    """
    try:
        with TemporaryDirectory() as folder:
            config = without_hydra(compose([*words, "logger=csv"]))
            trainer = build(config, RunFolder(Path(folder)))
            return {"hours": hours(trainer)}
    except MtlrunError as error:
        return {"needs": str(error)}
    except Exception as error:  # of a part of the user's, or of the machine: other tables are measured all the same
        return {"needs": reason(error)}


def hours(trainer: Trainer) -> float:
    """Of the whole training."""
    step = _seconds_of_a_step(trainer)
    row = _seconds_of_a_row(trainer)
    settings, splits = trainer.settings, trainer.splits
    val, test = sum(map(len, splits.val)), sum(map(len, splits.test))
    each = val + sum(min(len(source), trainer.diagnostics.gap_rows) for source in splits.train)
    evaluations = -(-trainer.total_steps // trainer.steps_per_epoch) / settings.eval_every
    evaluated = evaluations * (each + (test if trainer.selection.on_test else 0))
    evaluated += (2 + (settings.test_last if settings.test_last > 1 else 0)) * test
    return (step * trainer.total_steps + row * evaluated) / 3600


def _seconds_of_a_step(trainer: Trainer) -> float:
    """Its batch included, from the end of the step before on."""
    seconds: list[float] = []
    began = before = time.perf_counter()
    for batch in _batches(trainer):
        train_step(trainer.stepper, batch, measure=False).losses.tolist()  # waits for the device
        now = time.perf_counter()
        seconds.append(now - before)
        before = now
        if len(seconds) > WARM_UP and now - began > MOST_SECONDS:
            break
    kept = seconds[WARM_UP:] or seconds
    return sum(kept) / len(kept)


def _batches(trainer: Trainer) -> Iterator[StepBatch]:
    drawn = (trainer.sampler.next(TrainingProgress(step, 0, 0.0)) for step in range(WARM_UP + MOST_STEPS))
    return trainer.loader.batches(drawn)


def _seconds_of_a_row(trainer: Trainer) -> float:
    sources = trainer.splits.val
    rows = sum(min(_ROWS, len(source)) for source in sources)
    start = time.perf_counter()
    trainer.evaluator.evaluate(sources, _ROWS)
    return (time.perf_counter() - start) / max(1, rows)


def main(lines: Sequence[str]) -> None:
    """A JSON list of words a line in, its measurement as JSON a line out.

    What one method of an experiment needs, its others need too.
    """
    logging.disable(logging.CRITICAL)
    needs: dict[str, dict[str, Any]] = {}
    for words in map(json.loads, lines):
        with redirect_stdout(sys.stderr):  # a part of the user's may print
            answer = needs.get(words[0]) or measure(words)
        if "needs" in answer:
            needs[words[0]] = answer
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
