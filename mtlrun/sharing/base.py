"""The contract of a sharing scheme: which tasks use the same parameters, stage by stage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from mtlrun.backbones.base import Backbone
from mtlrun.errors import choose
from mtlrun.types import Feature, Rows

BackboneFactory = Callable[[], Backbone]
"""Builds a freshly initialised backbone at each call."""


class Sharing(nn.Module, ABC):
    """Builds what it needs from fresh backbones and gives each task the stage outputs for its head.

    Subclasses take `(backbone: BackboneFactory, tasks: Sequence[str], <options>)` and set `features` to what
    each task's head receives. The backbone's own modules, or deep copies of them, should stay in use, however wrapped:
    by them `sharing.backbone_paths` knows what can be frozen, or started from another run.
    """

    features: list[Feature]

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.tasks = tuple(tasks)

    @abstractmethod
    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """Stage outputs for each task in `rows`, of its labelled rows only: [n, C, H, W] or [n, C].

        Args:
            inputs: [B, ...]
            rows: per task the positions [n] of its rows; None for all.
        """

    @abstractmethod
    def task_parameters(self, task: str) -> list[nn.Parameter]:
        """Parameters that influence this task alone."""

    @abstractmethod
    def last_shared_stage(self) -> list[nn.Parameter]:
        """Parameters of the last stage that two tasks or more share; empty if nothing is shared."""

    def penalty(self) -> Tensor | None:
        """A term of the parameters alone that is added to the objective, unweighted by the balancer.

        None where there is none, or nothing in it can be trained. It must not look at data: processes that train
        together would get different values of it.
        """
        return None

    def trunk_end(self) -> nn.Module | None:
        """The module whose outputs are the features that all tasks share, where the scheme has one such module."""
        return None

    def shared_parameters(self) -> list[nn.Parameter]:
        """Parameters that influence two tasks or more; every other one belongs to exactly one task."""
        private = {id(parameter) for task in self.tasks for parameter in self.task_parameters(task)}
        return [parameter for parameter in self.parameters() if id(parameter) not in private]

    def ordered_by_task(self) -> list[nn.Parameter]:
        """Parameters whose entries stand for the tasks in their order: for other tasks they mean nothing."""
        return []

    def gates(self) -> dict[str, Tensor]:
        """Per task its gate's weights [experts], the mean over its rows of the last forward pass it was in, detached.

        Several gates of one task are told apart as 'task/level1', 'task/level2'. Empty for schemes without gates.
        """
        return {}


def last_with_parameters(stages: Sequence[Iterable[nn.Module]]) -> list[nn.Parameter]:
    """The parameters of the last stage that has any; each stage is given as the modules that make it up."""
    found = ([parameter for module in modules for parameter in module.parameters()] for modules in reversed(stages))
    return next((parameters for parameters in found if parameters), [])


def depth_of(split: str, names: Sequence[str], where: str = "sharing.split") -> int:
    """Number of stages up to and including the one called `split`."""
    return list(names).index(choose(split, names, f"stage for {where}")) + 1
