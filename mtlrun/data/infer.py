"""Which kind of task an array of labels is for, and its labels as that kind takes them.

| array | kind |
| --- | --- |
| [N] integers from 0 to `max_classes` - 1, or truth values | Classification |
| [N] other integers, and all floats, whole or not | Regression |
| [N, L] of nothing but 0 and 1, of any type | MultiLabel (one-hot classes too: pass their index instead) |
| [N, D] others | Regression of D outputs |
| [N, H, W] integers or truth values, images of the same H x W | Segmentation |

[N, 1] counts as [N], and [N, 1, H, W] as [N, H, W]. No label: NaN in floats; in integers -1, if it is the
only negative number. In MultiLabel single entries may be missing; in Regression of several outputs a row with
a missing entry has no label; in Segmentation -1 and 255 are pixels without one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.readers.npz import Array
from mtlrun.errors import DataError

IGNORED = 255  # class of pixels without a label


@dataclass(frozen=True)
class Labels:
    """Labels of one task.

    values: [N, ...] as the kind takes them; arbitrary where there is no label.
    labelled: bool [N].
    kind: arguments of the task, with `_target_`.
    """

    values: Tensor
    labelled: Tensor
    kind: dict[str, object]

    @property
    def summary(self) -> str:
        """The kind with its size, such as 'Classification of 3'."""
        kind = str(self.kind["_target_"]).rsplit(".", 1)[-1]
        size = next(value for key, value in self.kind.items() if key != "_target_")
        return f"{kind} of {len(size) if isinstance(size, list) else size}"


def infer_labels(name: str, values: Array, image_shape: tuple[int, ...] | None, max_classes: int) -> Labels:
    """The labels of task `name` and their kind, by the table above.

    Args:
        name: of the task and its array, for messages.
        values: [N, ...] numbers or truth values.
        image_shape: (H, W) of the inputs if they are images.
        max_classes: the most classes that integers are taken for.

    Raises:
        DataError: if the array suits no kind, has no label at all, or has infinite values or a single class.
    """
    if values.ndim in (2, 4) and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 3 and values.dtype.kind != "f" and values.shape[1:] == image_shape:
        return segmentation(name, values)
    if values.ndim > 2 or 0 in values.shape:
        raise DataError(
            f"labels '{name}' of shape {list(values.shape)} and type {values.dtype} suit no kind of "
            "task: use [N], [N, D], or integers [N, H, W] of the images' size; or name the other tasks with "
            "data.targets=[...]"
        )
    floats = with_gaps(values)
    check_values(name, floats)
    if values.ndim == 2:
        return multilabel(floats) if is_binary(floats) else regression(floats)
    whole = values.dtype.kind != "f" and np.nanmin(floats) >= 0 and np.nanmax(floats) < max_classes
    return classification(name, floats) if whole else regression(floats)


def with_gaps(values: Array) -> Array:
    """Labels [N] or [N, D] as float64 with NaN where there is none."""
    floats = values.astype(np.float64)
    if values.dtype.kind == "i" and values.min() == -1:
        floats[values == -1] = np.nan
    return floats


def check_values(name: str, floats: Array) -> None:
    """Raise DataError for infinite labels, and if there is no label."""
    if np.isinf(floats).any():
        raise DataError(f"labels '{name}' have {np.isinf(floats).sum()} infinite values: use NaN for no label")
    if np.isnan(floats).all():
        raise DataError(f"task '{name}' has no label in any row: leave it out with data.targets=[...]")


def is_binary(floats: Array) -> bool:
    """Whether every entry is 0, 1 or missing."""
    return bool(((floats == 0) | (floats == 1) | np.isnan(floats)).all())


def classification(name: str, floats: Array) -> Labels:
    """Class indices [N] int64; as many classes as the largest index says."""
    labelled = ~np.isnan(floats)
    num_classes = int(np.nanmax(floats)) + 1
    if num_classes < 2:
        raise DataError(f"task '{name}' has the class 0 in every row: there is nothing to learn")
    kind = {"_target_": "mtlrun.tasks.classification.Classification", "classes": num_classes}
    indices = np.where(labelled, floats, 0).astype(np.int64)
    return Labels(torch.from_numpy(indices), torch.from_numpy(labelled), kind)


def multilabel(floats: Array) -> Labels:
    """Truth values [N, L] float32, NaN where an entry is missing."""
    labelled = ~np.isnan(floats).all(1)
    names = [str(index) for index in range(floats.shape[1])]
    kind: dict[str, object] = {"_target_": "mtlrun.tasks.multilabel.MultiLabel", "labels": names}
    return Labels(torch.from_numpy(floats.astype(np.float32)), torch.from_numpy(labelled), kind)


def regression(floats: Array) -> Labels:
    """Numbers [N] or [N, D] float32."""
    labelled = ~np.isnan(floats.reshape(len(floats), -1)).any(1)
    outputs = floats.shape[1] if floats.ndim == 2 else 1
    kind = {"_target_": "mtlrun.tasks.regression.Regression", "outputs": outputs}
    numbers = torch.from_numpy(np.nan_to_num(floats).astype(np.float32))
    return Labels(numbers, torch.from_numpy(labelled), kind)


def segmentation(name: str, values: Array) -> Labels:
    """Class indices [N, H, W] uint8, 255 where a pixel has no label."""
    classes = values.astype(np.int64)
    classes[classes == -1] = IGNORED
    if classes.min() < 0 or classes.max() > IGNORED:
        raise DataError(
            f"masks '{name}' should hold classes 0 to 254, and 255 or -1 for none, "
            f"found {values.min()} to {values.max()}"
        )
    present = classes != IGNORED
    num_classes = int(classes[present].max(initial=-1)) + 1
    if num_classes < 2:
        raise DataError(f"masks '{name}' hold no class but 0 (255 means no label): write classes as 0, 1, 2, ...")
    names = [str(index) for index in range(num_classes)]
    kind: dict[str, object] = {"_target_": "mtlrun.tasks.segmentation.Segmentation", "classes": names}
    labelled = torch.from_numpy(present.any((1, 2)))
    return Labels(torch.from_numpy(classes.astype(np.uint8)), labelled, kind)
