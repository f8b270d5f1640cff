"""Every task equally often, however many rows it has."""

from __future__ import annotations

from collections.abc import Mapping

from mtlrun.samplers.base import Sampler, TrainingProgress


class Uniform(Sampler):
    """p_t = 1 / T."""

    def probabilities(self, sizes: Mapping[str, int], progress: TrainingProgress) -> dict[str, float]:
        return {task: 1 / len(sizes) for task in sizes}
