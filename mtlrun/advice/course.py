"""The course of an advice: measure together and apart, longer until it is settled, then other arrangements if need be.

What trains is handed in, so that all of it can be tried with made-up scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mtlrun.advice.arrangement import APART, TOGETHER, Arrangement, in_groups, sharing_less, wider
from mtlrun.advice.facts import Facts
from mtlrun.advice.lengths import budgets
from mtlrun.advice.partitions import MOST, Affinity, proposals
from mtlrun.advice.verdict import (
    BudgetResult,
    Choice,
    Judged,
    Settled,
    asks_for_alternatives,
    choose_best,
    corrected,
    judge,
    look_at,
    settled,
)
from mtlrun.reporting.entries import Entry


class Trainings(Protocol):
    """What trains: `mtlrun.cli.advised_runs`, or made-up scores."""

    def measure(self, arrangements: Sequence[Arrangement], first: int, length: int) -> Mapping[str, list[Entry]]:
        """Name -> the finished runs of this length, one for each seed.

        A run begins with the first length and goes on from its checkpoint; where both are equal it is trained in one
        go.
        """

    def failure(self, name: str) -> str:
        """Why runs of the arrangement did not finish, in one line."""


class RunsFailed(RuntimeError):
    """So few runs together or apart have finished that nothing can be compared."""


@dataclass(frozen=True)
class Advice:
    """Everything that was found out.

    looks: one for each budget. others: what stage 2 trained. failed: arrangements whose runs did not finish -> why.
    All are empty where nothing had to be trained.
    """

    facts: Facts
    choice: Choice
    looks: tuple[BudgetResult, ...] = ()
    settled: Settled | None = None
    others: tuple[Judged, ...] = ()
    affinity: Affinity | None = None
    failed: Mapping[str, str] = field(default_factory=dict)


def advise(
    facts: Facts,
    budget: float,
    backbone: Mapping[str, Any],
    trainings: Trainings,
    look_ahead: Callable[[], Affinity],
) -> Advice:
    """Go through the stages.

    Args:
        facts: of stage 0.
        budget: the most that a run may take, as a share of the configured length.
        backbone: its settings.
        trainings: trains what is missing.
        look_ahead: measures the affinity, where it is wanted.

    Raises:
        RunsFailed: if there is nothing to compare.
    """
    if facts.all_the_same:
        return Advice(facts, Choice("undecided"))
    looks, end = _stage_1(facts, budget, trainings)
    if not asks_for_alternatives(end):
        return Advice(facts, choose_best(end.look.judged, end.effect, ()), looks, end)
    affinity = look_ahead() if len(facts.tasks) > 2 else None
    wanted = alternatives(facts, end, backbone, affinity)
    found = _in_steps(facts, [APART, *wanted], [look.length for look in looks], trainings)
    there = [one for one in wanted if len(found[one.name]) == len(found[APART.name])]
    others = corrected([judge(one, found[one.name], found[APART.name]) for one in there])
    failed = {one.name: trainings.failure(one.name) for one in wanted if one not in there}
    choice = choose_best(end.look.judged, end.effect, others)
    return Advice(facts, choice, looks, end, tuple(others), affinity, failed)


def _stage_1(facts: Facts, budget: float, trainings: Trainings) -> tuple[tuple[BudgetResult, ...], Settled]:
    lengths, looks = budgets(facts.length.full, budget), list[BudgetResult]()
    for length in lengths:
        found = trainings.measure([TOGETHER, APART], first_length(facts, lengths, length), length)
        _check_enough(found, trainings)
        looks.append(look_at(length, TOGETHER, found[TOGETHER.name], found[APART.name]))
        end = settled(looks, lengths[-1], facts.length.full)
        if end is not None:
            return tuple(looks), end
    raise AssertionError("the last budget settles it")


def _check_enough(found: Mapping[str, Sequence[Entry]], trainings: Trainings) -> None:
    seeds = [{entry.seed for entry in found[one.name]} for one in (TOGETHER, APART)]
    if len(seeds[0] & seeds[1]) < 2:
        name = min((TOGETHER.name, APART.name), key=lambda one: len(found[one]))
        raise RunsFailed(
            f"too few runs have finished: {len(found[name])} {name} ({trainings.failure(name)}); the same command "
            "starts them again"
        )


def first_length(facts: Facts, lengths: Sequence[int], length: int) -> int:
    """Where a run of this length begins: with the shortest budget, and at the configured length with nothing.

    A schedule that follows the length makes a run that went on unlike one that was as long from the start; the verdict
    at the configured length is about the latter.
    """
    return length if length == facts.length.full and not facts.steady else lengths[0]


def _in_steps(
    facts: Facts, arrangements: Sequence[Arrangement], lengths: Sequence[int], trainings: Trainings
) -> Mapping[str, list[Entry]]:
    """Measured at the last length, on the way that the joint network took: only so are they comparable."""
    length = lengths[-1]
    first = first_length(facts, lengths, length)
    for shorter in lengths[:-1] if first < length and not facts.steady else ():
        trainings.measure(arrangements, first, shorter)
    return trainings.measure(arrangements, length if facts.steady else first, length)


def alternatives(
    facts: Facts, end: Settled, backbone: Mapping[str, Any], affinity: Affinity | None
) -> list[Arrangement]:
    """What stage 2 trains: groups by affinity; where a task is worse, also a wider network and ones that share less."""
    groups = [in_groups(found) for found in proposals(affinity)] if affinity else []
    if end.effect == "open":
        return groups
    return [*groups, *wider(backbone, len(facts.tasks)), *sharing_less(facts.stages)]


def most_alternatives(facts: Facts, backbone: Mapping[str, Any]) -> int:
    """The largest number of arrangements that stage 2 may train."""
    groups = MOST if len(facts.tasks) > 2 else 0
    return groups + len(wider(backbone, len(facts.tasks))) + len(sharing_less(facts.stages))
