"""What a report must know of the data to judge scores: numbers of rows, and what takes no learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mtlrun.data.source import Source, Splits
from mtlrun.tasks.base import Task


def split_facts(task: Task, splits: Splits) -> dict[str, Any]:
    """For the summary of a task: labelled `rows` of val and test, `trivial` scores."""
    return {
        "rows": {"val": _count(task.name, splits.val), "test": _count(task.name, splits.test)},
        "trivial": _trivial(task, splits),
    }


def _count(task: str, sources: Sequence[Source]) -> int:
    return sum(int(source.labelled(task).sum()) for source in sources if task in source.tasks)


def _trivial(task: Task, splits: Splits) -> dict[str, float]:
    """Test scores of a predictor that ignores its input; {} where labels would have to be read from files again."""
    train, test = (_targets(task.name, sources) for sources in (splits.train, splits.test))
    return {} if train is None or test is None else task.trivial_scores(train, test)


def _targets(task: str, sources: Sequence[Source]) -> Tensor | None:
    found = [source for source in sources if task in source.tasks]
    if not found or not all(source.labels_in_memory for source in found):
        return None
    return torch.cat([source.targets(task).cpu() for source in found])
