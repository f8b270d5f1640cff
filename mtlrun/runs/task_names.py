"""What a task may be called: what metrics.csv and settings such as TASK/METRIC can hold."""

from __future__ import annotations

import re

from mtlrun.errors import DataError

RESERVED = ("all",)
"""Names that stand for all tasks together in metrics.csv."""

_FORM = re.compile(r"[A-Za-z0-9_-]+")


def check_task_name(name: str, what: str = "a task") -> str:
    """`name`, if files, tables and settings such as TASK/METRIC can hold it.

    Args:
        name: of the task.
        what: where it stands, for the message.

    Raises:
        DataError: if it is reserved, or has other characters than letters, digits, '_' and '-'.
    """
    if name in RESERVED:
        raise DataError(f"{what} is called '{name}', which stands for all tasks together in metrics.csv: rename it")
    if not _FORM.fullmatch(name):
        raise DataError(f"{what} is called {name!a}: use letters, digits, '_' and '-'")
    return name
