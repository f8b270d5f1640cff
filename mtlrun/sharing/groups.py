"""A tree: which tasks stay together until which stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor, nn

from mtlrun.errors import ConfigError, choose
from mtlrun.sharing.base import BackboneFactory, Sharing, depth_of, last_with_parameters
from mtlrun.sharing.module_names import group_key
from mtlrun.types import Rows, select

Partition = list[tuple[str, ...]]
"""Groups of tasks; every task is in exactly one."""


class Groups(Sharing):
    """Each group of tasks has stages of its own from a chosen stage on, and groups may part again further up.

    Standley et al., "Which Tasks Should Be Learned Together in Multi-task Learning?", ICML 2020, arXiv:1905.07553, for
    groups; Vandenhende et al., "Branched Multi-Task Networks", BMVC 2020, arXiv:1904.02920, for trees.

    Args:
        backbone: builds one backbone; called once per branch that reaches the last stage.
        tasks: names of the tasks.
        groups: lists of tasks that stay together after `split`; or, for a tree, stage -> such lists, which hold after
            that stage and must divide the groups of the stages before it. None puts each task in a group of its own.
        split: the last stage that all tasks share; None for none. Not to be given with a tree.

    Raises:
        ConfigError: for an unknown stage or task, a task that is in no group or in two, or groups that rejoin.
    """

    def __init__(
        self,
        backbone: BackboneFactory,
        tasks: Sequence[str],
        groups: Sequence[Sequence[str]] | Mapping[str, Sequence[Sequence[str]]] | None = None,
        split: str | None = None,
    ) -> None:
        super().__init__(tasks)
        network = backbone()
        self.features = network.features
        names = [feature.name for feature in self.features]
        self._partitions = dict(zip(names, _partitions(groups, split, names, self.tasks)))
        self.stages = nn.ModuleDict({name: nn.ModuleDict() for name in names})
        for number, leaf in enumerate(self._partitions[names[-1]]):
            network = backbone() if number else network
            for name in names:  # a stage of several leaves comes from the first of them
                branches, key = self._branches(name), group_key(_group_of(leaf[0], self._partitions[name]))
                if key not in branches:
                    branches[key] = network.stages[name]

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """A group sees all rows, or its task's rows where only one of its tasks is there; absent groups do not run."""
        outputs: dict[str, list[Tensor]] = {task: [] for task in rows}
        values, left = dict.fromkeys(rows, inputs), dict(rows)  # left: rows that are still to be selected
        for name, partition in self._partitions.items():
            for group in partition:
                present = [task for task in rows if task in group]
                if len(present) == 1:
                    task = present[0]
                    values[task], left[task] = select(values[task], left[task]), None
                if present:
                    value = self._branches(name)[group_key(group)](values[present[0]])
                    values |= dict.fromkeys(present, value)
            for task in rows:
                outputs[task].append(select(values[task], left[task]))
        return outputs

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        alone = [
            self._branches(name)[group_key(group)]
            for name, partition in self._partitions.items()
            for group in partition
            if group == (task,)
        ]
        return [parameter for module in alone for parameter in module.parameters()]

    def last_shared_stage(self) -> list[nn.Parameter]:
        return last_with_parameters(
            [
                [self._branches(name)[group_key(group)] for group in partition if len(group) > 1]
                for name, partition in self._partitions.items()
            ]
        )

    def trunk_end(self) -> nn.Module | None:
        common = [name for name, partition in self._partitions.items() if len(partition) == 1]
        if len(self.tasks) == 1 or not common:
            return None
        return self._branches(common[-1])[group_key(self.tasks)]

    def _branches(self, stage: str) -> nn.ModuleDict:
        return cast(nn.ModuleDict, self.stages[stage])


def _group_of(task: str, partition: Partition) -> tuple[str, ...]:
    return next(group for group in partition if task in group)


def _partitions(groups: Any, split: str | None, names: list[str], tasks: tuple[str, ...]) -> list[Partition]:
    """The groups at every stage."""
    if groups is None:
        groups = [[task] for task in tasks]
    if not isinstance(groups, Mapping):
        groups = {split: groups}
    elif split is not None:
        raise ConfigError(f"sharing.split={split}: the stages of a tree are the keys of sharing.groups, leave it null")
    if not groups:
        raise ConfigError("sharing.groups={} parts no tasks: name a stage, or choose sharing=hard")
    given = {_depth(stage, names, split): _partition(groups[stage], tasks) for stage in groups}
    found, current = [], [tasks]
    for depth in range(len(names)):
        following = given.get(depth, current)
        _check_refines(current, following)
        current = following
        found.append(current)
    return found


def _depth(stage: str | None, names: list[str], split: str | None) -> int:
    """Number of stages before the groups part, which must not be all."""
    if stage is None:
        return 0
    where = "sharing.groups" if split is None else "sharing.split"
    depth = depth_of(stage, names, where)
    if depth == len(names):
        raise ConfigError(
            f"{where}: no stage is left to part after {stage}, name an earlier one or choose sharing=hard"
        )
    return depth


def _partition(groups: Any, tasks: tuple[str, ...]) -> Partition:
    """Lists of tasks, each in the order of `tasks`, checked."""
    if not isinstance(groups, Sequence) or not all(_is_group(group) for group in groups):
        raise ConfigError(f"sharing.groups must be lists of tasks such as [[a,b],[c]], found {groups!r}")
    named = [choose(task, tasks, "task for sharing.groups") for group in groups for task in group]
    for task in tasks:
        if named.count(task) != 1:
            found = "no group" if task not in named else "two groups"
            raise ConfigError(f"sharing.groups must have every task in one group, and '{task}' is in {found}")
    return [tuple(task for task in tasks if task in group) for group in groups]


def _is_group(group: Any) -> bool:
    return isinstance(group, Sequence) and not isinstance(group, str) and len(group) > 0


def _check_refines(before: Partition, after: Partition) -> None:
    for group in after:
        if not set(group) <= set(_group_of(group[0], before)):
            joined = ", ".join(group)
            raise ConfigError(f"sharing.groups: {joined} have parted at an earlier stage and cannot join again")
