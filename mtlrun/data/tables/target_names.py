"""What the tasks of a table are called, from the names of its columns. No torch: a sweep asks before it starts."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping

from mtlrun.errors import DataError
from mtlrun.lines import shortened
from mtlrun.runs.task_names import check_task_name

log = logging.getLogger(__name__)

OTHER_LETTERS = re.compile(r"[^A-Za-z0-9_-]+")


def task_names(columns: Iterable[str]) -> dict[str, str]:
    """Column -> what its task is called: the same, with '_' for what a task's name cannot hold.

    Raises:
        DataError: if nothing is left of a name, or two tasks would have the same.
    """
    names: dict[str, str] = {}
    for column in columns:
        name = check_task_name(OTHER_LETTERS.sub("_", column).strip("_") or column, "a column of labels")
        if name in names.values():
            first = next(other for other, known in names.items() if known == name)
            raise DataError(f"columns '{first}' and '{column}' would both be the task '{name}': rename one")
        names[column] = name
    return names


def tell_names(names: Mapping[str, str]) -> None:
    """Say which columns have tasks of another name."""
    renamed = [f"{column} is task {task}" for column, task in names.items() if column != task]
    if renamed:
        log.info("names as settings take them: %s", shortened(renamed))
