"""Which cases of a large parametrisation the fast run takes, the same ones every time; the others are `slow`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import pytest

from mtlrun.balancers import load
from mtlrun.balancers.base import Balancer


def sampled(cases: Iterable[Any], fast: Collection[Any]) -> list[Any]:
    """All cases, in order; those that are not among `fast` are slow. A tuple has a value for each argument."""
    several = [(case, case if isinstance(case, tuple) else (case,)) for case in cases]
    return [case if case in fast else pytest.param(*values, marks=pytest.mark.slow) for case, values in several]


def representatives(balancers: Iterable[str]) -> list[str]:
    """The first balancer of each sort that engine and trainer treat differently."""
    return _first_of_each(balancers, _sort)


def remembering(balancers: Iterable[str]) -> list[str]:
    """The first balancer of each sort that differs in what is saved with a run and taken up again."""
    return _first_of_each(balancers, lambda balancer: (balancer.batches > 1, balancer.observes, _state(balancer)))


def _first_of_each(balancers: Iterable[str], sort: Callable[[Balancer], tuple[Any, ...]]) -> list[str]:
    sorts: dict[tuple[Any, ...], str] = {}
    for name in balancers:
        sorts.setdefault(sort(load(name)), name)
    return [*sorts.values()]


def _sort(balancer: Balancer) -> tuple[Any, ...]:
    """What the balancer reads, takes and weighs, and whether it keeps numbers or draws them."""
    own = type(balancer).own_weights is not Balancer.own_weights
    early = getattr(balancer, "weights_need_losses", None)
    return balancer.reads, balancer.batches, balancer.observes, own, early, _state(balancer)


def _state(balancer: Balancer) -> object:
    kept = balancer.state_dict().keys() - {"last_good", "fallbacks"}
    return "drawn" if kept & {"seed", "generator"} else bool(kept)
