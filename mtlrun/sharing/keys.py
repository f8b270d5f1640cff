"""Names under which modules of a task are kept."""

from __future__ import annotations


def task_key(task: str) -> str:
    """The task's key in an nn.ModuleDict, which refuses the names of its own attributes, such as 'type'."""
    return f"task_{task}"
