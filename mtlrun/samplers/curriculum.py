"""Curriculum by tasks: stages of training, each with its active tasks and a sampler among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mtlrun.errors import ConfigError, choose
from mtlrun.options import distinct, number, whole
from mtlrun.samplers.base import Sampler, TrainingProgress
from mtlrun.samplers.uniform import Uniform


@dataclass(frozen=True)
class Stage:
    """From a given point of training on, these tasks are active.

    Args:
        tasks: names; None for all.
        from_epoch: first epoch of the stage, counted from 0; or
        from_fraction: share of all steps after which it begins, 0 to 1. Give one of the two.
        sampler: among the active tasks; uniform by default.

    Raises:
        ConfigError: for anything else.
    """

    tasks: Sequence[str] | None = None
    from_epoch: int | None = None
    from_fraction: float | None = None
    sampler: Sampler | None = None

    def __post_init__(self) -> None:
        if (self.from_epoch is None) == (self.from_fraction is None):
            raise ConfigError("each of sampler.stages needs one of from_epoch and from_fraction")
        if self.from_epoch is not None:
            whole("from_epoch in sampler.stages", self.from_epoch, least=0)
        if self.from_fraction is not None:
            number("from_fraction in sampler.stages", self.from_fraction, 0, 1)
        if self.tasks is not None:
            distinct("tasks in sampler.stages", self.tasks)
        if not isinstance(self.sampler, Sampler | None):
            example = "sampler: {_target_: mtlrun.samplers.uniform.Uniform}"
            raise ConfigError(f"sampler in sampler.stages should be a sampler, found {self.sampler!r}: write {example}")

    def has_begun(self, progress: TrainingProgress) -> bool:
        if self.from_epoch is not None:
            return progress.epoch >= self.from_epoch
        return progress.fraction >= (self.from_fraction or 0.0)


class Curriculum(Sampler):
    """The last stage in the list that has begun rules.

    Args:
        stages: in order; None lets the tasks join one by one, in the order of the task set, evenly over
            the first half of training.

    Raises:
        ConfigError: if no stage begins at the start.
    """

    def __init__(self, stages: Sequence[Stage] | None = None) -> None:
        self.stages = None if stages is None else _checked(stages)
        if self.stages is not None and not any(stage.has_begun(TrainingProgress(0, 0, 0.0)) for stage in self.stages):
            raise ConfigError("none of sampler.stages begins at the start: give one from_fraction: 0")

    def check(self, tasks: Collection[str]) -> None:
        for stage in self.stages or ():
            if stage.tasks is not None and not stage.tasks:
                raise ConfigError("a stage in sampler.stages names no task: give some, or null for all")
            for task in stage.tasks or ():
                choose(task, tasks, "task in sampler.stages named")
            if stage.sampler is not None:
                stage.sampler.check(tasks)

    def probabilities(self, sizes: Mapping[str, int], progress: TrainingProgress) -> dict[str, float]:
        stages = self.stages if self.stages is not None else one_by_one(list(sizes))
        stage = [stage for stage in stages if stage.has_begun(progress)][-1]
        active = list(sizes) if stage.tasks is None else stage.tasks
        return (stage.sampler or Uniform()).probabilities({task: sizes[task] for task in active}, progress)


def _checked(stages: object) -> list[Stage]:
    """The stages; raises ConfigError for anything else, which YAML lets pass."""
    if isinstance(stages, Sequence) and not isinstance(stages, str):
        wrong = next((stage for stage in stages if not isinstance(stage, Stage)), None)
        if wrong is None:
            return list(stages)
        stages = f"[{wrong}]"
    needed = f"a list of {{_target_: {Stage.__module__}.Stage, from_epoch: 0, tasks: [...]}}, or null"
    raise ConfigError(f"sampler.stages={stages}: must be {needed}")


def one_by_one(tasks: Sequence[str]) -> list[Stage]:
    """Stages in which the tasks join one after the other over the first half of training."""
    return [Stage(tasks[: k + 1], from_fraction=0.5 * k / len(tasks)) for k in range(len(tasks))]
