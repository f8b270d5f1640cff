"""Arrays of labels as each kind of task takes them.

No label: NaN in floats; -1 in whole numbers, if it is the only negative one; 255 in unsigned bytes that are classes or
truth values, unless 254 is one too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.errors import DataError
from mtlrun.linalg.precision import needs_double
from mtlrun.lines import shortened

IGNORED = 255
"""No class: of pixels without a label, and of bytes, which cannot hold -1."""

NAMED = 4
"""Names of classes that a summary shows."""

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Labels:
    """Labels of one task.

    values: [N, ...] as the kind takes them; arbitrary where there is no label.
    labelled: bool [N].
    kind: the task's, as in `Splits.inferred`; empty if only the configuration knows it.
    marks: how many entries are -1, 255 or NaN, and so no label.
    """

    values: Tensor
    labelled: Tensor
    kind: dict[str, object]
    marks: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The kind's name, such as 'Classification'."""
        return str(self.kind.get("kind", "Other"))

    @property
    def summary(self) -> str:
        """The kind with its size and what is left out, such as 'Classification of 3 (-1 in 10 rows is no label)'."""
        sizes = [value for key, value in self.kind.items() if key != "kind"]
        size = "".join(
            f" of {len(value)}{_named(value)}" if isinstance(value, list) else f" of {value}" for value in sizes
        )
        units = {"Segmentation": "pixels", "MultiLabel": "entries"}.get(self.name, "rows")
        left_out = " and ".join(f"{mark} in {count} {units}" for mark, count in self.marks.items())
        verb = "is" if len(self.marks) == 1 else "are"
        return f"{self.name}{size}" + (f" ({left_out} {verb} no label)" if left_out else "")

    def class_name(self, index: int) -> str:
        """What a class is called."""
        classes = self.kind.get("classes")
        return str(classes[index]) if isinstance(classes, list) else str(index)


def _named(words: list[str]) -> str:
    """Names that are more than numbers, in brackets."""
    return "" if all(word.isdigit() for word in words) else f" ({shortened(words, NAMED)})"


def described(name: str, values: Array) -> str:
    """An array as the file has it, for messages."""
    return f"labels '{name}' ({values.dtype} {list(values.shape)})"


def with_gaps(values: Array, classes: bool) -> tuple[Array, dict[str, int]]:
    """(labels as float64 with NaN where there is none, how many entries each mark leaves out).

    Args:
        values: [N, ...].
        classes: whether they are classes or truth values, and no numbers: then 255 in bytes is no label, and -1 in
            floats neither.
    """
    floats = values.astype(np.float64)
    missing = {"NaN": np.isnan(floats)}
    known = floats[~missing["NaN"]]
    whole = values.dtype.kind == "i" or (classes and values.dtype.kind == "f" and not (known % 1).any())
    if whole and known.size and known.min() == -1:
        missing["-1"] = floats == -1
    if classes and values.dtype == np.uint8 and known[known != IGNORED].max(initial=0) < IGNORED - 1:
        missing[str(IGNORED)] = floats == IGNORED
    for entries in missing.values():
        floats[entries] = np.nan
    rows = {mark: entries.any(1) if floats.ndim == 2 and not classes else entries for mark, entries in missing.items()}
    return floats, {mark: int(entries.sum()) for mark, entries in rows.items() if entries.any()}


def check_values(name: str, floats: Array) -> None:
    """Raise DataError for infinite labels, and if there is no label."""
    if np.isinf(floats).any():
        raise DataError(f"labels '{name}' have {np.isinf(floats).sum()} infinite values: use NaN for no label")
    if np.isnan(floats).all():
        raise DataError(f"task '{name}' has no label in any row: leave it out with data.targets=[...]")


def classification(name: str, values: Array) -> Labels:
    """Class indices [N] int64; as many classes as the largest index says, and two at least."""
    if values.ndim != 1:
        raise DataError(f"{described(name, values)} are not one class per row: give each row the index of its class")
    floats, marks = with_gaps(values, classes=True)
    check_values(name, floats)
    wrong = floats[(floats < 0) | (floats % 1 != 0) & ~np.isnan(floats)]
    if wrong.size or np.nanmax(floats) >= 2**31:
        found = wrong[0] if wrong.size else np.nanmax(floats)
        raise DataError(
            f"{described(name, values)} hold {found:g}: Classification takes classes as whole numbers from 0, and NaN "
            "or -1 for no label"
        )
    labelled = ~np.isnan(floats)
    kind = {
        "kind": "Classification",
        "classes": max(int(np.nanmax(floats)) + 1, 2),
    }
    indices = np.where(labelled, floats, 0).astype(np.int64)
    return Labels(torch.from_numpy(indices), torch.from_numpy(labelled), kind, marks)


def multilabel(name: str, values: Array) -> Labels:
    """Truth values [N, L] float32, NaN where an entry is missing; [N] counts as [N, 1]."""
    floats, marks = with_gaps(values[:, None] if values.ndim == 1 else values, classes=True)
    if floats.ndim != 2:
        raise DataError(f"{described(name, values)} are no rows of yes/no answers: MultiLabel takes [N, L]")
    check_values(name, floats)
    wrong = floats[~is_answer(floats)]
    if wrong.size:
        raise DataError(f"{described(name, values)} hold {wrong[0]:g}: MultiLabel takes 0, 1, and NaN or -1 for none")
    labelled = ~np.isnan(floats).all(1)
    names = [str(index) for index in range(floats.shape[1])]
    kind: dict[str, object] = {"kind": "MultiLabel", "labels": names}
    return Labels(torch.from_numpy(floats.astype(np.float32)), torch.from_numpy(labelled), kind, marks)


def is_answer(floats: Array) -> Array:
    """Which entries are 0, 1 or missing."""
    found: Array = (floats == 0) | (floats == 1) | np.isnan(floats)
    return found


def regression(name: str, values: Array) -> Labels:
    """Numbers [N] or [N, D]: float32, or float64 where float32 would round away what varies."""
    if values.ndim > 2:
        raise DataError(f"{described(name, values)} are no rows of numbers: Regression takes [N] or [N, D]")
    floats, marks = with_gaps(values, classes=False)
    check_values(name, floats)
    if np.nanmax(np.abs(floats)) > LARGEST:
        raise DataError(f"labels '{name}' reach {np.nanmax(np.abs(floats)):g}: divide them, or take their logarithm")
    labelled = ~np.isnan(floats.reshape(len(floats), -1)).any(1)
    outputs = floats.shape[1] if floats.ndim == 2 else 1
    kind = {"kind": "Regression", "outputs": outputs}
    double = needs_double(torch.from_numpy(floats))
    numbers = np.nan_to_num(floats).astype(np.float64 if double else np.float32)
    return Labels(torch.from_numpy(numbers), torch.from_numpy(labelled), kind, marks)


def segmentation(name: str, values: Array) -> Labels:
    """Class indices [N, H, W] uint8, 255 where a pixel has no label."""
    if values.ndim != 3:
        raise DataError(f"{described(name, values)} are no masks: Segmentation takes [N, H, W]")
    missing = {"NaN": np.isnan(values), "-1": values == -1}
    known = values[~missing["NaN"]]
    if (known % 1).any() or known.min(initial=0) < -1 or known.max(initial=0) > IGNORED:
        raise DataError(
            f"masks '{name}' should hold classes 0 to 254, and 255 or -1 for none, "
            f"found {known.min():g} to {known.max():g} ({values.dtype})"
        )
    absent = missing["NaN"] | missing["-1"]
    classes = np.where(absent, IGNORED, values).astype(np.uint8)
    present = classes != IGNORED
    if not present.any():
        raise DataError(f"masks '{name}' have no labelled pixel (255 means no label): write classes as 0, 1, 2, ...")
    names = [str(index) for index in range(max(int(classes[present].max()) + 1, 2))]
    kind: dict[str, object] = {"kind": "Segmentation", "classes": names}
    marks = {mark: int(entries.sum()) for mark, entries in missing.items() if entries.any()}
    return Labels(torch.from_numpy(classes), torch.from_numpy(present.any((1, 2))), kind, marks)


def other(name: str, values: Array) -> Labels:
    """Labels of a kind that only the configuration knows: as they are in the file, float32 or int64."""
    floats = values.dtype.kind == "f"
    if values.dtype.kind == "u" and values.max(initial=0) > np.iinfo(np.int64).max:
        raise DataError(f"{described(name, values)} reach {values.max()}, and int64 ends at {np.iinfo(np.int64).max}")
    missing = np.isnan(values) if floats else np.zeros(values.shape, bool)
    labelled = ~missing.reshape(len(values), -1).all(1)
    if not labelled.any():
        raise DataError(f"task '{name}' has no label in any row: leave it out with data.targets=[...]")
    numbers = torch.from_numpy(values.astype(np.float32 if floats else np.int64))
    unlabelled = int((~labelled).sum())
    return Labels(numbers, torch.from_numpy(labelled), {}, {"NaN": unlabelled} if unlabelled else {})


KINDS: dict[str, Callable[[str, Array], Labels]] = {
    "Classification": classification,
    "MultiLabel": multilabel,
    "Regression": regression,
    "Segmentation": segmentation,
    "Other": other,
}
"""Makes labels of a kind from an array [N, ...] of the file."""
