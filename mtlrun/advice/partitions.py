"""Which groups of tasks a look-ahead affinity proposes: all set partitions, or a greedy search for many tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from mtlrun.advice.arrangement import Groups

EXHAUSTIVE = 8
"""Tasks up to which every partition is looked at: 4,140 of eight."""
MOST = 3
"""Partitions that are proposed for training."""
EVERY = 10
"""Steps of the joint run between two measurements of the affinity."""


@dataclass(frozen=True)
class Affinity:
    """values[i][j]: relative fall of task j's loss on held-out rows after a step on task i alone (Fifty et al. 2021).

    None where it was never measured. steps: at how many steps it was.
    """

    tasks: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    steps: int

    def on(self, task: str, helpers: Sequence[str]) -> float:
        """What a step on one of the helpers does for the task on average; 0 without any that is known."""
        column = self.tasks.index(task)
        found = [self.values[self.tasks.index(helper)][column] for helper in helpers]
        known = [value for value in found if value is not None]
        return fmean(known) if known else 0.0


def proposals(affinity: Affinity, most: int = MOST) -> list[Groups]:
    """The partitions of the highest score, best first, without one group of all and groups of one each.

    More than eight tasks are merged greedily: from groups of one, the two groups whose merger gives the highest score,
    again and again; the partitions on this way are those that are compared.
    """
    few = len(affinity.tasks) <= EXHAUSTIVE
    found = set_partitions(affinity.tasks) if few else _merged(affinity)
    real = [groups for groups in found if 1 < len(groups) < len(affinity.tasks)]
    return sorted(real, key=lambda groups: (-score(groups, affinity), len(groups)))[:most]


def score(groups: Groups, affinity: Affinity) -> float:
    """Mean over the tasks of what the others of its group do for it; 0 for a task alone."""
    return fmean(affinity.on(task, [other for other in group if other != task]) for group in groups for task in group)


def set_partitions(tasks: Sequence[str]) -> Iterator[Groups]:
    """Every way to put the tasks into groups; groups and tasks in the order of `tasks`."""
    if not tasks:
        yield ()
        return
    *before, last = tasks
    for groups in set_partitions(before):
        for place in range(len(groups)):
            yield (*groups[:place], (*groups[place], last), *groups[place + 1 :])
        yield (*groups, (last,))


def _merged(affinity: Affinity) -> Iterator[Groups]:
    groups: Groups = tuple((task,) for task in affinity.tasks)
    while len(groups) > 1:
        groups = max(_mergers(groups), key=lambda found: score(found, affinity))
        yield groups


def _mergers(groups: Groups) -> Iterator[Groups]:
    for a, b in combinations(range(len(groups)), 2):
        rest = tuple(group for place, group in enumerate(groups) if place not in (a, b))
        yield (groups[a] + groups[b], *rest)
