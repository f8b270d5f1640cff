"""Names under which modules of a task, or of a group of tasks, are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable


def task_key(task: str) -> str:
    """The task's key in an nn.ModuleDict, which refuses the names of its own attributes, such as 'type'."""
    return f"task_{task}"


def group_key(tasks: Iterable[str]) -> str:
    """The key of what several tasks share."""
    return "+".join(map(task_key, tasks))


def keys_in(name: str) -> set[str]:
    """The parts of a parameter's name; those of them that come from tasks are their keys."""
    return set(re.split(r"[.+]", name))
