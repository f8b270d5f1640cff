"""A word about tasks whose training labels are all alike, whatever data they come from."""

from __future__ import annotations

import logging

import torch
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
    if isinstance(task, Segmentation):
        targets = targets[targets != IGNORED]
    columns = targets.unbind(1) if targets.dim() == 2 else [targets]
    if any(len(torch.unique(column[~column.isnan()])) > 1 for column in columns):
        return
    log.warning(
        "task '%s': all training labels are alike, so there is nothing to learn and its scores say little", task.name
    )
