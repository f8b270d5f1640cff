"""Which kind of task an array of labels is for, unless the user names it.

| array | kind |
| --- | --- |
| [N] integers from 0 to `max_classes` - 1, or truth values | Classification |
| [N] floats with NaN that are such integers: what tables make of integers with gaps | Classification |
| [N] other integers, and all other floats, whole or not | Regression |
| [N, L] of nothing but 0 and 1, of any type | MultiLabel (one-hot classes too: pass their index instead) |
| [N, D] others | Regression of D outputs |
| [N, H, W] integers or truth values, images of the same H x W | Segmentation |

[N, 1] counts as [N], and [N, 1, H, W] as [N, H, W]. What is no label says `label_kinds`. In MultiLabel single entries
may be missing; in Regression of several outputs a row with a missing entry has no label; in Segmentation -1 and 255 are
pixels without one.
"""

from __future__ import annotations

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.label_kinds import KINDS, Labels, check_values, is_answer, with_gaps
from mtlrun.errors import DataError, choose


def infer_labels(
    name: str, values: Array, image_shape: tuple[int, ...] | None, max_classes: int, kind: str | None = None
) -> Labels:
    """The labels of task `name` and their kind: the one that is named, or by the table above.

    Args:
        name: of the task and its array, for messages.
        values: [N, ...] numbers or truth values.
        image_shape: (H, W) of the inputs if they are images.
        max_classes: the most classes that integers are taken for, if no kind is named.
        kind: one of KINDS; None to read it off the labels.

    Raises:
        ConfigError: if there is no such kind.
        DataError: if the array suits no kind, or not the one that is named, has no label at all or infinite values.
    """
    if values.ndim in (2, 4) and values.shape[1] == 1 and kind != "Other":
        values = values[:, 0]
    found = read_off(name, values, image_shape, max_classes) if kind is None else kind
    return KINDS[choose(found, KINDS, f"kind for data.kinds.{name}")](name, values)


def read_off(name: str, values: Array, image_shape: tuple[int, ...] | None, max_classes: int) -> str:
    """The kind by the table."""
    if values.ndim == 3 and values.dtype.kind != "f" and values.shape[1:] == image_shape:
        return "Segmentation"
    if values.ndim > 2 or 0 in values.shape:
        raise DataError(
            f"labels '{name}' of shape {list(values.shape)} and type {values.dtype} suit no kind of "
            "task: use [N], [N, D], or integers [N, H, W] of the images' size; or name the other tasks with "
            "data.targets=[...]"
        )
    check_values(name, with_gaps(values, classes=False)[0])
    floats, _ = with_gaps(values, classes=values.dtype.kind != "f")
    if values.ndim == 2:
        return "MultiLabel" if is_answer(floats).all() else "Regression"
    return "Classification" if are_classes(values, floats, max_classes) else "Regression"


def are_classes(values: Array, floats: Array, max_classes: int) -> bool:
    """Whether labels [N] are whole numbers from 0 to below `max_classes`; floats only if some are missing."""
    known = floats[~np.isnan(floats)]
    whole = values.dtype.kind != "f" or (len(known) < len(floats) and not (known % 1).any())
    return bool(whole and known.size and known.min() >= 0 and known.max() < max_classes)
