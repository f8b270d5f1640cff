"""Rows whose inputs stay in files and whose labels are in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_inputs import scaled
from mtlrun.data.arrays.row_map import RowMap
from mtlrun.data.scaling import Scaling
from mtlrun.data.source import Normalisation, Source
from mtlrun.types import InputColumn

Statistics = tuple[Sequence[float], Sequence[float]]
"""Mean and deviation, per column or channel."""


class MappedSource(Source):
    """Some of the rows of a map, gathered batch by batch, in this process or in workers.

    Args:
        name: unique among the sources of a split.
        inputs: of all rows.
        rows: those of this source, int64 [n]; the arguments below are for them.
        targets: per task [n, ...].
        labelled: per task bool [n].
        statistics: by which columns or channels get mean 0 and deviation 1; None for none.
        row_ids: int64 [n], see `Source.row_ids`.
        columns: see `Source.columns`.
    """

    def __init__(
        self,
        name: str,
        inputs: RowMap,
        rows: Tensor,
        targets: Mapping[str, Tensor],
        labelled: Mapping[str, Tensor],
        statistics: Statistics | None = None,
        row_ids: Tensor | None = None,
        columns: Sequence[InputColumn] = (),
    ) -> None:
        self.columns = tuple(columns)
        self.name, self.tasks, self.input_shape = name, tuple(targets), inputs.row_shape
        self._inputs, self._rows = inputs, rows
        self._targets, self._labelled = dict(targets), dict(labelled)
        self._statistics, self._row_ids = statistics, row_ids
        self._images = len(inputs.row_shape) > 1
        dtype = torch.uint8 if self._bytes else torch.float32
        later = statistics if self._images and statistics else (None, None)
        self._scaling = Scaling(dtype, len(inputs.row_shape) + 1, *later)

    @property
    def labels_in_memory(self) -> bool:
        return True

    @property
    def _bytes(self) -> bool:
        """Whether these are images of bytes, which stay so until they are on the device."""
        return self._images and self._inputs.dtype == np.uint8

    def __len__(self) -> int:
        return len(self._rows)

    def labelled(self, task: str) -> Tensor:
        return self._labelled[task]

    def fetch(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        values = self._inputs[self._rows[rows].numpy()]
        if not self._images and self._statistics:
            values = scaled(values, *self._statistics).astype(np.float32)
        elif values.dtype.kind != "f" and not self._bytes:
            values = values.astype(np.float32 if self._images else np.float64)
        return torch.from_numpy(values), {task: labels[rows] for task, labels in self._targets.items()}

    def prepare(self, inputs: Tensor) -> Tensor:
        return self._scaling(inputs)

    def normalisation(self) -> Normalisation:
        if self._statistics and not self._images:
            return Normalisation("float64", 1.0, [*self._statistics[0]], [*self._statistics[1]], early=True)
        mean, deviation = ([*values] for values in self._statistics) if self._statistics else (None, None)
        dtype, unit = ("uint8", 255.0) if self._bytes else ("float32", 1.0)
        return Normalisation(dtype, unit, mean, deviation)

    def targets(self, task: str) -> Tensor:
        return self._targets[task][self._labelled[task]]

    def row_ids(self) -> Tensor | None:
        return self._row_ids
