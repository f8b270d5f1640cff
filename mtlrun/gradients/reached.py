"""Which parameters a loss depends on, read off the graph that autograd has recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from mtlrun.errors import ConfigError


def reached(loss: Tensor) -> list[Tensor]:
    """The leaves of the graph that require a gradient, each once, in the order of a walk from the loss.

    The walk costs about a microsecond for each operation of the forward pass.
    """
    found: list[Tensor] = []
    seen: set[Any] = set()
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if type(node).__name__ == "AccumulateGrad":  # autograd's end of a path: it adds to `.grad` of a leaf
            found.append(node.variable)  # type: ignore[attr-defined]
        waiting.extend(before for before, _ in node.next_functions)
    return found


def found_heads(
    losses: Mapping[str, Tensor], shared: Sequence[Tensor], known: Mapping[str, Iterable[Tensor]]
) -> dict[str, list[Tensor]]:
    """Per task of `losses` the leaves that its loss alone reaches and that are not shared.

    Args:
        losses: of tasks whose own parameters are wanted.
        shared: parameters of all tasks.
        known: own parameters of other tasks.

    Raises:
        ConfigError: for a leaf of two tasks that is not among the shared ones.
    """
    common = {id(parameter) for parameter in shared}
    owners = {id(parameter): task for task, own in known.items() for parameter in own}
    heads: dict[str, list[Tensor]] = {}
    for task, loss in losses.items():
        heads[task] = [leaf for leaf in reached(loss) if id(leaf) not in common]
        for leaf in heads[task]:
            owner = owners.setdefault(id(leaf), task)
            if owner != task:
                raise ConfigError(
                    f"a parameter of shape {[*leaf.shape]} influences the losses of '{owner}' and '{task}' and is not "
                    "among the shared ones: add it to shared, or say in task_specific which task it belongs to"
                )
    return heads
