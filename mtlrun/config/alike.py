"""A word about tasks whose training labels are all alike, whatever data they come from."""

from __future__ import annotations

import logging

from torch import Tensor

from mtlrun.config.named_kinds import BASES
from mtlrun.tasks.base import Task
from mtlrun.tasks.confusion import IGNORED
from mtlrun.tasks.segmentation import Segmentation

log = logging.getLogger("mtlrun")


def warn_if_alike(task: Task, targets: Tensor) -> None:
    """Warn if no column of the training labels [N, ...] holds two values: the task then learns nothing, perfectly."""
    if not isinstance(task, BASES):
        return
    columns = targets.unbind(1) if targets.dim() == 2 else [targets]
    ignored = IGNORED if isinstance(task, Segmentation) else None
    if any(_holds_two(column, ignored) for column in columns):
        return
    log.warning(
        "task '%s': all training labels are alike, so there is nothing to learn and its scores say little", task.name
    )


def _holds_two(labels: Tensor, ignored: int | None) -> bool:
    """Whether two values occur among the labels, of any shape, that are neither NaN nor ignored."""
    if not labels.numel():
        return False
    known = ~labels.isnan() if ignored is None else labels != ignored
    first = labels.flatten()[known.flatten().byte().argmax()]  # to select the known ones would take far longer
    return bool(((labels != first) & known).any())
