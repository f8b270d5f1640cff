"""Between proportional and uniform (Arivazhagan et al. 2019, arXiv:1907.05019, Sec. 4.2)."""

from __future__ import annotations

from collections.abc import Mapping

from mtlrun.errors import ConfigError
from mtlrun.samplers.base import Sampler, TrainingProgress, normalised


class Temperature(Sampler):
    """p_t ~ n_t^(1 / temperature).

    Args:
        temperature: 1 is proportional, larger is flatter, infinity is uniform; below 1 favours the large tasks.
    """

    def __init__(self, temperature: float = 5.0) -> None:
        if not temperature > 0:
            raise ConfigError(f"sampler.temperature must be positive, found {temperature}")
        self.temperature = temperature

    def probabilities(self, sizes: Mapping[str, int], progress: TrainingProgress) -> dict[str, float]:
        largest = max(sizes.values())  # ratios first, so that small temperatures do not overflow
        return normalised({task: (size / largest) ** (1 / self.temperature) for task, size in sizes.items()})
