"""Whether labels differ at all: with one class, or one number, nothing is learned and every score is perfect."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.data.label_kinds import IGNORED, Labels
from mtlrun.errors import DataError

log = logging.getLogger(__name__)

Found = list[list[float]]
"""Per column the values that occur, two at most; one column but for several answers or numbers per row."""


def check_variety(labels: Mapping[str, Labels], rows: Mapping[str, Tensor]) -> None:
    """Refuse tasks whose training labels are all alike, and warn where a column, or a held-out split, has one value.

    Args:
        labels: of each task, for all rows.
        rows: of each split.

    Raises:
        DataError: naming the task, what is left, and what was taken for no label.
    """
    for task, found in labels.items():
        if found.name == "Other":
            continue
        everywhere, training = occurring(found, found.labelled), occurring(found, marked(found, rows["train"]))
        if all(len(values) < 2 for values in everywhere):
            raise DataError(only_one(task, found, everywhere))
        if all(len(values) < 2 for values in training):
            raise DataError(
                f"task '{task}' has {one_value(found, training[0][0])} alone in the labelled rows of train, and others "
                "elsewhere: try another data.seed, or label more"
            )
        warn(task, found, training, rows)


def warn(task: str, found: Labels, training: Found, rows: Mapping[str, Tensor]) -> None:
    """Say where scores mean little: columns that never vary in training, and splits that hold one value."""
    constant = [str(column) for column, values in enumerate(training) if len(values) < 2]
    if constant:
        log.warning("task '%s': no two values to train on in column %s", task, ", ".join(constant))
    for split in [split for split in rows if split != "train"]:
        there = occurring(found, marked(found, rows[split]))
        if all(len(values) < 2 for values in there):
            value = one_value(found, there[0][0])
            log.warning("task '%s': %s alone in %s, whose scores say little", task, value, split)


def occurring(found: Labels, chosen: Tensor) -> Found:
    """The first two values of each column, in the labelled ones of the chosen rows (bool [N])."""
    values = found.values[chosen]
    columns = values.unbind(1) if found.name in ("MultiLabel", "Regression") and values.dim() == 2 else [values]
    kept = [column[column != IGNORED] if found.name == "Segmentation" else column for column in columns]
    return [torch.unique(column[~column.isnan()])[:2].tolist() for column in kept]


def marked(found: Labels, rows: Tensor) -> Tensor:
    """Which of all rows are among the given ones, and labelled: bool [N]."""
    among = torch.zeros_like(found.labelled)
    among[rows] = True
    return among & found.labelled


def one_value(found: Labels, value: float) -> str:
    """What one value of the labels is called; a class by its name."""
    if found.name in ("Regression", "MultiLabel"):
        return f"the {'value' if found.name == 'Regression' else 'answer'} {value:g}"
    return f"the class {found.class_name(int(value))}"


def only_one(task: str, found: Labels, everywhere: Found) -> str:
    """What to tell a user whose labels are all alike: most often -1 was meant as a class."""
    value = next((values[0] for values in everywhere if values), 0)
    where = "pixel" if found.name == "Segmentation" else "row"
    line = f"task '{task}' has {one_value(found, value)} in every {where} that is labelled: there is nothing to learn"
    left_out = found.marks.get("-1")
    if not left_out:
        return line
    return f"{line}; -1 means no label ({left_out} of them): if it is a class, write classes as 0, 1, 2, ..."
