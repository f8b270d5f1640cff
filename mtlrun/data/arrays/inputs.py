"""Inputs that are one array, in memory or mapped: what the loading of both asks of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.array_inputs import Inputs, check_finite, not_finite, refuse_rows, with_channels
from mtlrun.data.arrays.mapped_source import MappedSource
from mtlrun.data.arrays.one_pass import as_told_apart, facts_of
from mtlrun.data.arrays.row_map import RowMap
from mtlrun.data.fingerprint import ids_of_rows
from mtlrun.data.label_kinds import Labels
from mtlrun.data.label_warnings import Inspected
from mtlrun.data.source import Source, TensorSource

NAME = "arrays"
"""Of the sources."""


@dataclass(frozen=True)
class FittedInputs:
    """Inputs that are scaled by what the training rows say.

    ids: of all rows as they are in the files, int64 [N]. inspected: vectors for warnings; None for images.
    source: makes one of some rows and the labels of all.
    """

    ids: Tensor
    inspected: Inspected | None
    source: Callable[[Tensor, dict[str, Labels]], Source]


class ArrayInputs(ABC):
    """Inputs of all rows; `row_shape` is (D,) or (C, H, W)."""

    row_shape: tuple[int, ...]

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """(H, W); None for vectors."""
        return self.row_shape[1:] if len(self.row_shape) > 1 else None

    @abstractmethod
    def fit(self, train: Tensor, standardise: bool) -> FittedInputs:
        """Scale by the training rows.

        Raises:
            DataError: if a number is not finite.
        """

    @abstractmethod
    def as_they_are(self, labels: dict[str, Labels]) -> Source:
        """All rows, unscaled: for a network that scales them as in its training.

        Raises:
            DataError: if a number is not finite.
        """


class HeldInputs(ArrayInputs):
    """In memory.

    Args:
        name: of the array.
        values: as the files have them.
        channels: see `with_channels`.
    """

    def __init__(self, name: str, values: Array, channels: str) -> None:
        self._name, self._values = name, with_channels(name, values, channels)
        self.row_shape = self._values.shape[1:]
        check_finite(name, self._values)

    def fit(self, train: Tensor, standardise: bool) -> FittedInputs:
        values, inspected = self._values, None
        scaled = Inputs(values, train, standardise)
        ids = ids_of_rows(scaled.values if values.ndim > 2 else torch.from_numpy(as_told_apart(values)))
        if values.ndim == 2:
            known = train.numpy()
            inspected = _inspected(self._name, values, (values[known] == values[known[0]]).all(0))

        def source(rows: Tensor, labels: dict[str, Labels]) -> Source:
            targets, labelled = _of_rows(rows, labels)
            return TensorSource(
                NAME, scaled.values[rows], targets, labelled, scaled.mean, scaled.std, ids[rows], scaled.early
            )

        return FittedInputs(ids, inspected, source)

    def as_they_are(self, labels: dict[str, Labels]) -> Source:
        return TensorSource(NAME, torch.from_numpy(as_told_apart(self._values)), *_of_rows(slice(None), labels))


class MappedInputs(ArrayInputs):
    """In .npy files, read once before training and row by row in it.

    Args:
        name: of the array.
        files: whose rows follow one another.
        channels: see `with_channels`.
    """

    def __init__(self, name: str, files: Sequence[Path], channels: str) -> None:
        self._map = RowMap(files, name, channels)
        self.row_shape = self._map.row_shape

    def fit(self, train: Tensor, standardise: bool) -> FittedInputs:
        facts = facts_of(self._map, train)
        statistics = (facts.mean, facts.deviation) if standardise else None
        vectors = self.image_shape is None

        def source(rows: Tensor, labels: dict[str, Labels]) -> Source:
            return MappedSource(NAME, self._map, rows, *_of_rows(rows, labels), statistics, facts.ids[rows])

        inspected = _inspected(self._map.name, self._map, facts.constant) if vectors else None
        return FittedInputs(facts.ids, inspected, source)

    def as_they_are(self, labels: dict[str, Labels]) -> Source:
        bad = np.zeros(len(self._map), dtype=bool)
        for start, values in self._map.chunks():
            bad[start : start + len(values)] = not_finite(values)
        refuse_rows(self._map.name, bad)
        return MappedSource(NAME, self._map, torch.arange(len(self._map)), *_of_rows(slice(None), labels))


def _inspected(name: str, values: Array | RowMap, constant: Array) -> Inspected:
    names = [f"{name}[:, {column}]" for column in range(len(constant))]
    return Inspected(names, values, [names[column] for column in np.flatnonzero(constant)])


def _of_rows(rows: Tensor | slice, labels: dict[str, Labels]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(targets, masks) of the rows."""
    targets = {task: found.values[rows] for task, found in labels.items()}
    return targets, {task: found.labelled[rows] for task, found in labels.items()}
