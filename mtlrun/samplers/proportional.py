"""Every row equally often: tasks with more data are seen more."""

from __future__ import annotations

from collections.abc import Mapping

from mtlrun.samplers.base import Sampler, TrainingProgress, normalised


class Proportional(Sampler):
    """p_t ~ n_t."""

    def probabilities(self, sizes: Mapping[str, int], progress: TrainingProgress) -> dict[str, float]:
        return normalised(sizes)
