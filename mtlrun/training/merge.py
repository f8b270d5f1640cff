"""Metrics that several processes have gathered over parts of a split, made into those of the whole split.

torchmetrics would synchronise them itself, but it asks for as many entries in every process, waits for all of them in
`compute`, and joins lists process by process: the rows would lie in another order than in one process, and whatever
depends on the order of ties (such as average precision) would depend on the number of processes. So its synchronisation
is switched off, and the states are put together here, in the order of the split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from mtlrun.errors import ConfigError


@dataclass
class MetricState:
    """What one metric has gathered in one process: its states by name, on the CPU, after so many updates."""

    values: dict[str, Any]
    updates: int


@dataclass
class EvaluationPart:
    """One process's part of a task's evaluation, to be sent: states of each metric; losses [n] and positions [n]."""

    states: dict[str, list[MetricState]]
    losses: Tensor
    positions: Tensor


@dataclass
class TaskEvaluation:
    """What the rows of one task have brought so far: metrics, losses, and of several processes also the positions of
    the rows in the split."""

    metrics: dict[str, Metric]
    losses: list[Tensor] = field(default_factory=list)
    positions: list[Tensor] = field(default_factory=list)

    def part(self) -> EvaluationPart:
        """The same in a form that can be sent."""
        states = {name: states_of(metric) for name, metric in self.metrics.items()}
        return EvaluationPart(states, torch.cat(self.losses).cpu(), torch.cat(self.positions))


def merged(metrics: dict[str, Metric], parts: Sequence[EvaluationPart]) -> TaskEvaluation:
    """Fresh metrics with what all processes have seen, and the losses in the order of the split."""
    order = torch.cat([part.positions for part in parts]).argsort()
    for name, metric in metrics.items():
        set_states(metric, [part.states[name] for part in parts], order)
    return TaskEvaluation(metrics, [torch.cat([part.losses for part in parts])[order]])


def states_of(metric: Metric) -> list[MetricState]:
    """The states of a metric and of those inside it."""
    cpu = torch.device("cpu")
    return [
        MetricState({name: _moved(getattr(inner, name), cpu) for name in inner._defaults}, inner._update_count)
        for inner in _with_inner(metric)
    ]


def set_states(metric: Metric, found: Sequence[list[MetricState]], order: Tensor) -> None:
    """Give a metric what the processes have found, as if it had seen all rows itself.

    Args:
        metric: of the process that computes.
        found: `states_of` the metric in each process.
        order: [n] puts the rows, which come process by process, into the order of the split.

    Raises:
        ConfigError: if a state has other shapes in other processes.
    """
    for index, inner in enumerate(_with_inner(metric)):
        inner.distributed_available_fn = _never  # or compute() waits for the other processes
        states = [process[index] for process in found if process[index].updates]
        if not states:
            continue
        for name in inner._defaults:
            values = [state.values[name] for state in states]
            _check_shapes(f"state '{name}' of the metric {type(inner).__name__}", values)
            whole = _whole(values, inner._reductions[name], order)
            setattr(inner, name, _moved(whole, inner.device))
        inner._update_count, inner._computed = sum(state.updates for state in states), None


def _check_shapes(what: str, values: list[Any]) -> None:
    """The rule of `Task.make_metrics` that can be seen here."""
    shapes = {tuple(value.shape) for value in values if isinstance(value, Tensor)}
    if len(shapes) > 1:
        found = " and ".join(map(str, sorted(shapes)))
        raise ConfigError(f"{what} has the shapes {found} in several processes: give it one, or make it a list of rows")


def _whole(values: list[Any], reduce: Any, order: Tensor) -> Any:
    """One state of all processes by the rule that the metric was given for it, see `Task.make_metrics`.

    A list with one entry per row of the split, such as a picture's boxes, is brought into the order of the split first;
    a list with one entry per update, or any other number, has no such order.
    """
    if isinstance(values[0], Tensor):
        stacked = torch.stack(values)
        return values[0] if len(values) == 1 else stacked if reduce is None else reduce(stacked)
    entries = [entry for value in values for entry in value]
    if len(entries) == len(order):
        entries = [entries[index] for index in order.tolist()]
    return entries if reduce is None or reduce is dim_zero_cat else reduce(entries)


def _with_inner(metric: Metric) -> list[Metric]:
    return [module for module in metric.modules() if isinstance(module, Metric)]


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to(device)
    return [_moved(entry, device) for entry in value] if isinstance(value, list) else value


def _never() -> bool:
    return False
