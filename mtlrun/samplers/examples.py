"""Curriculum by examples: from easy rows to hard ones (Bengio et al. 2009; pacing as in Hacohen & Weinshall 2019,
arXiv:1904.03626)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from mtlrun.errors import ConfigError, choose
from mtlrun.samplers.base import Sampler, TrainingProgress
from mtlrun.samplers.proportional import Proportional

PACING_POWERS = {"linear": 1.0, "root": 0.5, "quadratic": 2.0}


class Examples(Sampler):
    """The share of rows in use grows from `start` to 1; rows are ranked by their loss, easiest first.

    The losses are measured before each epoch with the network as it is then.

    Args:
        start: share of the rows in use at the beginning, in (0, 1].
        full_at: fraction of training after which all rows are in use, in (0, 1].
        pacing: 'linear', 'root' (fast at first) or 'quadratic' (slow at first).
        sampler: among the tasks; proportional by default.
    """

    wants_row_losses: ClassVar[bool] = True

    def __init__(
        self, start: float = 0.3, full_at: float = 0.5, pacing: str = "linear", sampler: Sampler | None = None
    ) -> None:
        for name, value in (("start", start), ("full_at", full_at)):
            if not 0 < value <= 1:
                raise ConfigError(f"sampler.{name} must lie in (0, 1], found {value}")
        self.start, self.full_at = start, full_at
        self.power = PACING_POWERS[choose(pacing, PACING_POWERS, "sampler.pacing")]
        self.sampler = sampler or Proportional()

    def check(self, tasks: Collection[str]) -> None:
        self.sampler.check(tasks)

    def probabilities(self, sizes: Mapping[str, int], progress: TrainingProgress) -> dict[str, float]:
        return self.sampler.probabilities(sizes, progress)

    def share_in_use(self, progress: TrainingProgress) -> float:
        pace = min(1.0, progress.fraction / self.full_at) ** self.power
        return self.start + (1 - self.start) * pace
