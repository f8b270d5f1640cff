"""The vector that tells a shared network which task it works for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtlrun.errors import ConfigError, choose
from mtlrun.options import is_number


def descriptor_matrix(tasks: Sequence[str], descriptors: Mapping[str, Sequence[float]] | None) -> Tensor:
    """One row per task, [T, D].

    Args:
        tasks: names of the tasks.
        descriptors: task -> D numbers; None for one-hot vectors, D = T.

    Raises:
        ConfigError: unless every task, and no other, has equally many finite numbers, at least one.
    """
    if descriptors is None:
        return torch.eye(len(tasks))
    if not isinstance(descriptors, Mapping):
        raise ConfigError(f"sharing.descriptors must give each task a list of numbers, found {descriptors!r}")
    for task in descriptors:
        choose(task, tasks, "task for sharing.descriptors")
    missing = next((task for task in tasks if task not in descriptors), None)
    if missing is not None:
        raise ConfigError(f"sharing.descriptors must give each task a list of numbers, and has none for '{missing}'")
    wrong = next((task for task in tasks if not _is_vector(descriptors[task])), None)
    if wrong is not None:
        raise ConfigError(f"sharing.descriptors.{wrong} must be a list of numbers, found {descriptors[wrong]!r}")
    lengths = {task: len(descriptors[task]) for task in tasks}
    if len({*lengths.values()}) > 1:
        found = ", ".join(f"{task} {length}" for task, length in lengths.items())
        raise ConfigError(f"sharing.descriptors must have the same length for all tasks, found {found}")
    return torch.tensor([[float(value) for value in descriptors[task]] for task in tasks])


def _is_vector(values: Any) -> bool:
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        return False
    return all(map(is_number, values))
