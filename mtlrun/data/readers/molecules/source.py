"""Molecules with their bonds, which are kept as bytes until they are used."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.data.source import TensorSource


class BondedMolecules(TensorSource):
    """Rows [A, 4 + G]: atoms [A, 4], then G facts and bonds of each.

    Args:
        name: unique among the sources of a split.
        atoms: float32 [N, A, 4].
        graphs: uint8 [N, A, G].
        targets: per task [N].
    """

    def __init__(self, name: str, atoms: Tensor, graphs: Tensor, targets: Mapping[str, Tensor]) -> None:
        super().__init__(name, atoms, targets)
        self._graphs = graphs
        self.input_shape = (atoms.shape[1], atoms.shape[2] + graphs.shape[2])

    def fetch(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        inputs, targets = super().fetch(rows)
        graphs = self._graphs.index_select(0, rows.to(self._graphs.device, non_blocking=True))
        return torch.cat([inputs, graphs.to(inputs.dtype)], 2), targets

    def nbytes(self) -> int:
        return super().nbytes() + self._graphs.nbytes

    def to(self, device: torch.device) -> TensorSource:
        moved = super().to(device)
        assert isinstance(moved, BondedMolecules)
        moved._graphs = self._graphs.to(device)
        return moved
