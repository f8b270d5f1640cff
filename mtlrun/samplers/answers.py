"""What a sampler answers, looked at before rows are drawn by it: it may change over training."""

from __future__ import annotations

from collections.abc import Mapping

from mtlrun.errors import ConfigError, near_miss
from mtlrun.samplers.base import Sampler, TrainingProgress

_ROUNDING = 1e-6


def checked_probabilities(
    sampler: Sampler, sizes: Mapping[str, int], progress: TrainingProgress, known: Mapping[str, float] | None = None
) -> Mapping[str, float]:
    """The sampler's probabilities, if they are a distribution over tasks of the run.

    Args:
        known: the answer before, which is returned where this one is the same: most samplers give one all along.

    Raises:
        ConfigError: naming the class and what was found, if they do not sum to 1, one is negative or NaN, or a name is
            none of the run's tasks. A batch drawn by such an answer would be too small, or lack a task.
    """
    answer = sampler.probabilities(sizes, progress)
    if known is not None and answer == known:
        return known
    if not isinstance(answer, Mapping):
        kind = type(answer).__name__
        raise _broken(sampler, "its probabilities are a dict by task", f"they are a {kind}", progress)
    if not answer.keys() <= sizes.keys():
        wrong = next(task for task in answer if task not in sizes)
        there = f"{near_miss(wrong, sizes)} (there are: {', '.join(sizes)})"
        raise _broken(sampler, "its probabilities are of the run's tasks", f"'{wrong}' is none{there}", progress)
    total = sum(answer.values())
    if not (abs(total - 1) <= _ROUNDING and min(answer.values()) >= 0):
        shown = ", ".join(f"{task} {share:.4g}" for task, share in answer.items())
        raise _broken(sampler, "its probabilities sum to 1", f"they sum to {total:.4g} ({shown})", progress)
    return answer


def _broken(sampler: Sampler, promise: str, found: str, progress: TrainingProgress) -> ConfigError:
    name = type(sampler).__name__
    return ConfigError(f"sampler {name} breaks its promise '{promise}': at step {progress.step} {found}")
