"""What in labels and inputs makes scores mean less than they seem to: one warning each, before training."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from mtlrun.data.array_cache import Array
from mtlrun.data.label_kinds import Labels
from mtlrun.lines import shortened

log = logging.getLogger(__name__)

IMBALANCE = 0.9
"""Share of the rows of one class from which a task is told to be out of balance."""
SAMPLE = 2000
"""Rows by which columns are compared with labels."""
FEWEST = 20
"""Labelled rows below which a column may agree with labels by chance."""
KNOWN = 0.5
"""Share of the labelled rows in which a column has a value, from which it is compared with labels there."""
AGREEMENT = 1 - 1e-9
"""Correlation from which a column of numbers is a copy of the labels, whatever its unit."""


class VectorRows(Protocol):
    """Vectors, of which some rows are asked for: an array [N, D], or one in a file."""

    def __getitem__(self, rows: Array, /) -> Array:
        """[n, D] of the rows [n]."""
        ...


@dataclass(frozen=True)
class Inspected:
    """Inputs to compare labels with: names [D]; values [N, D], numbers or codes of categories, NaN for none;
    constant: names of those
    that do not vary in training."""

    names: Sequence[str]
    values: VectorRows
    constant: Sequence[str] = ()


def warn_before_training(labels: Mapping[str, Labels], train: Array, inputs: Inspected | None) -> None:
    """Warn of missing labels, imbalance, identifiers, constant inputs, and inputs that are labels.

    Args:
        labels: of each task, for all rows.
        train: the training rows.
        inputs: None for inputs that are no columns.
    """
    _warn_of_gaps(labels, train)
    _warn_of_imbalance(labels, train)
    _warn_of_identifiers(labels)
    if inputs is None:
        return
    if inputs.constant:
        log.warning("constant in the training rows, so of no use: %s", shortened(inputs.constant))
    leaks = [f"{name} ({task})" for task, label in labels.items() for name in copies(label, inputs)]
    if leaks:
        log.warning(
            "these inputs say what a task asks for: %s; leave them out with data.inputs=[...] unless they are known "
            "when predictions are made",
            shortened(leaks),
        )


@dataclass(frozen=True)
class RowsByNumber:
    """Some rows of vectors: `rows` are their numbers, in order, [n]; `values` [n, D]."""

    rows: Array
    values: Array

    def __getitem__(self, rows: Array, /) -> Array:
        found: Array = self.values[np.searchsorted(self.rows, rows)]
        return found


def compared_rows(labels: Mapping[str, Labels]) -> Array:
    """The rows by which columns are compared with labels, in order."""
    rows = [compared_with(label) for label in labels.values()]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *rows]))


def compared_with(label: Labels) -> Array:
    """The first labelled rows of a task, in order."""
    found: Array = label.labelled.numpy().nonzero()[0][:SAMPLE]
    return found


def _warn_of_gaps(labels: Mapping[str, Labels], train: Array) -> None:
    counts = {task: int((~label.labelled[train]).sum()) for task, label in labels.items()}
    told = [f"{task} in {count}" for task, count in counts.items() if count]
    if told:
        log.warning("no label in some of the %d training rows: %s", len(train), shortened(told))


def _warn_of_imbalance(labels: Mapping[str, Labels], train: Array) -> None:
    told = [found for task, label in labels.items() if (found := _imbalance(task, label, train))]
    if told:
        log.warning(
            "out of balance, so that accuracy says little: %s; MultiLabel is judged by AUROC, and Classification takes "
            "class_weights=balanced",
            shortened(told),
        )


def _imbalance(task: str, label: Labels, train: Array) -> str:
    if label.name != "Classification":
        return ""
    known = label.values[train][label.labelled[train]]
    counts = torch.bincount(known)
    most = int(counts.argmax())
    share = int(counts[most]) / max(len(known), 1)
    return f"{task} ({100 * share:.0f} % are {label.class_name(most)})" if share >= IMBALANCE else ""


def _warn_of_identifiers(labels: Mapping[str, Labels]) -> None:
    told = [task for task, label in labels.items() if is_identifier(label)]
    if told:
        log.warning(
            "as many different labels as rows, such as the number of a row or a customer: %s; nothing of that can be "
            "predicted for another row",
            shortened(told),
        )


def is_identifier(label: Labels) -> bool:
    """Whether the labels are whole numbers, or classes, of which no two rows have the same."""
    known = label.values[label.labelled]
    if known.dim() > 1 or len(known) < FEWEST or label.name not in ("Classification", "Regression"):
        return False
    whole = not known.is_floating_point() or bool((known % 1 == 0).all())
    if not whole or len(known.unique()) < len(known):
        return False
    return label.name == "Classification" or bool(known.max() - known.min() <= 2 * len(known))


def copies(label: Labels, inputs: Inspected) -> list[str]:
    """Names of the columns that hold the labels: in another unit, or under other names. Columns with gaps are compared
    where they have a value, and words or numbers that stand for classes also as one that is a gap."""
    rows = compared_with(label)
    known = label.values[rows]
    known = known[:, 0] if known.dim() == 2 and known.shape[1] == 1 else known
    if known.dim() > 1 or len(rows) < FEWEST or label.name not in ("Classification", "MultiLabel", "Regression"):
        return []
    target, values = known.double().numpy(), inputs.values[rows].astype(np.float64)
    same = _same_numbers if label.name == "Regression" else _same_classes
    complete: Array = np.logical_not(np.isnan(values).any(0))
    found = np.zeros(len(complete), dtype=bool)
    found[complete] = same(values if complete.all() else values[:, complete], target)
    for place in (~complete).nonzero()[0]:
        column = values[:, place]
        filled: Array = np.logical_not(np.isnan(column))
        if filled.sum() >= max(FEWEST, KNOWN * len(rows)):
            found[place] = same(column[filled, None], target[filled])[0]
        if label.name != "Regression" and not found[place]:
            found[place] = same(np.nan_to_num(column, nan=np.nanmin(column, initial=0) - 1)[:, None], target)[0]
    return [inputs.names[place] for place in found.nonzero()[0].tolist()]


def _same_numbers(values: Array, target: Array) -> Array:
    """Which columns are the target in another unit, bool [D]."""
    same: Array = np.abs(_correlations(values, target)) >= AGREEMENT
    return same


def _same_classes(values: Array, target: Array) -> Array:
    """Which columns are the target under other names, bool [D]."""
    classes = len(np.unique(target))
    few = 2 <= classes <= len(target) / 2
    return np.array([few and _same_parts(column, target, classes) for column in values.T], dtype=bool)


def _correlations(values: Array, target: Array) -> Array:
    """[D]; 0 for constant columns."""
    centred, deviations = values - values.mean(0), target - target.mean()
    lengths = np.sqrt((centred**2).sum(0) * (deviations**2).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.nan_to_num((centred.T @ deviations) / lengths, posinf=0.0, neginf=0.0)
    return found


def _same_parts(column: Array, target: Array, classes: int) -> bool:
    """Whether the column has a value for each class, and no two classes have the same."""
    if len(np.unique(column)) != classes:
        return False
    return len(np.unique(np.stack([column, target], 1), axis=0)) == classes
