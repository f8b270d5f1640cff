"""What must be known of all inputs before training, from one reading of their files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.array_inputs import not_finite, refuse_rows
from mtlrun.data.arrays.row_map import RowMap
from mtlrun.data.fingerprint import ids_of_rows
from mtlrun.data.statistics import ByteCounts, Moments


@dataclass(frozen=True)
class InputFacts:
    """Of all rows the `ids`, int64 [N]; of the training rows `mean` and `deviation` per column or channel, and which
    columns of vectors are `constant`, bool [D]."""

    ids: Tensor
    mean: list[float]
    deviation: list[float]
    constant: Array


def facts_of(inputs: RowMap, train: Tensor) -> InputFacts:
    """Every row is looked at, once, in the order of the files.

    Args:
        inputs: N rows.
        train: the training rows.

    Raises:
        DataError: if a number is not finite.
    """
    trained = np.zeros(len(inputs), dtype=bool)
    trained[train.numpy()] = True
    # made once: what is kept of every chunk would lie between its large arrays, whose room could then not be used again
    bad, ids = np.zeros(len(inputs), dtype=bool), torch.zeros(len(inputs), dtype=torch.int64)
    images = len(inputs.row_shape) > 1
    moments = ByteCounts(inputs.row_shape[0]) if images and inputs.dtype == np.uint8 else Moments()
    first = inputs[train[:1].numpy()]
    constant = np.ones(inputs.row_shape[0], dtype=bool)
    for start, values in inputs.chunks():
        stop = start + len(values)
        bad[start:stop] = not_finite(values)
        ids[start:stop] = ids_of_rows(torch.from_numpy(as_told_apart(values)))
        known = values[trained[start:stop] & ~bad[start:stop]]
        moments.add(known)
        constant &= images or (known == first).all(0)
    refuse_rows(inputs.name, bad)
    return InputFacts(ids, *moments.result(), constant)


def as_told_apart(values: Array) -> Array:
    """Rows as `ids_of_rows` takes them, so that they have the numbers of the same rows in memory."""
    if values.ndim == 2:
        return values.astype(np.float64)
    return values if values.dtype == np.uint8 else values.astype(np.float32)
