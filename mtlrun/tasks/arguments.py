"""Arguments and labels that several kinds take. Each check raises one line that names the task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mtlrun.errors import ConfigError, DataError


def class_names(task: str, option: str, names: int | Sequence[str], least: int) -> list[str]:
    """The names of at least `least` classes; a number n stands for the names '0' to 'n-1'."""
    if isinstance(names, int):
        names = [str(index) for index in range(names)]
    if not isinstance(names, Sequence) or isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{option} of task '{task}' must be a number or a list of names, found {names!r}")
    if len(names) < least:
        raise ConfigError(f"{option} of task '{task}' must name at least {least}, found {list(names)}")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ConfigError(f"{option} of task '{task}' names '{twice[0]}' twice: give each its own name")
    return list(names)


def check_shape(task: str, targets: Tensor, form: str, fits: bool) -> None:
    """Raise DataError unless the labels' shape fits."""
    if not fits:
        raise DataError(f"labels of task '{task}' must have shape {form}, found {tuple(targets.shape)}")


def check_classes(task: str, targets: Tensor, num_classes: int, ignored: int | None = None) -> None:
    """Raise DataError unless all labels are whole numbers in [0, num_classes), or the ignored value."""
    if targets.is_floating_point() or targets.is_complex():
        raise DataError(f"labels of task '{task}' must be class indices (integers), found {targets.dtype}")
    wrong = (targets < 0) | (targets >= num_classes)
    if ignored is not None:
        wrong &= targets != ignored
    if wrong.any():
        found = torch.unique(targets[wrong])[:3].tolist()
        allowed = f"0 to {num_classes - 1}" + ("" if ignored is None else f", or {ignored} for ignored")
        most = int(targets[targets != ignored].max()) + 1 if ignored is not None else int(targets.max()) + 1
        remedy = f": for {most} classes set task.tasks.{task}.classes={most}" if most > num_classes else ""
        raise DataError(f"labels of task '{task}' must be {allowed}, found {', '.join(map(str, found))}{remedy}")


def direct(function: Any) -> Any:
    """The callable behind a `_partial_` of Hydra's, with its arguments: for what every step calls.

    Hydra looks at its policy again at each call of a partial, which takes longer than a small loss.
    """
    if not isinstance(function, partial) or not type(function).__module__.startswith("hydra."):
        return function
    bound = function.args or function.keywords
    return partial(function.func, *function.args, **function.keywords) if bound else function.func
