"""Scores on the test rows: at the best epoch and the last, and over the last few epochs where papers average them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mtlrun.training.evaluate import Scores

if TYPE_CHECKING:
    from mtlrun.training.trainer import Trainer


def test(trainer: Trainer, epoch: int, step: int) -> Scores:
    """Test scores of the network, which is that of this epoch and step; measured and written once."""
    if step not in trainer.tested:
        trainer.tested[step] = trainer.parts.evaluator.evaluate(trainer.parts.splits.test)
        trainer.write_metrics(epoch, step, "test", trainer.tested[step])
    return trainer.tested[step]


def test_if_late(trainer: Trainer, epoch: int) -> None:
    """After an epoch: test if it is one of several whose scores are averaged."""
    if trainer.settings.test_last > 1 and _is_late(trainer, trainer.step):
        test(trainer, epoch, trainer.step)


def late_tests(trainer: Trainer) -> list[Scores]:
    """Test scores of the last `trainer.test_last` epochs."""
    return [scores for step, scores in trainer.tested.items() if _is_late(trainer, step)]


def _is_late(trainer: Trainer, step: int) -> bool:
    """Whether one of the last epochs ends with this step."""
    first = math.ceil(trainer.total_steps / trainer.steps_per_epoch) - trainer.settings.test_last
    ends = step % trainer.steps_per_epoch == 0 or step == trainer.total_steps
    return ends and step > first * trainer.steps_per_epoch
