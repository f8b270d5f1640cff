"""Gram matrices of per-task gradients, and what can be read off them. Shapes: T tasks, P parameters."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 1 << 18
"""Columns that are lifted to float64 at once: 2 MiB a row, so the copy stays in cache."""


def gram_matrix(jacobian: Tensor) -> Tensor:
    """J J^T [T, T] in float64 on the CPU, for rows [T, P] of any floating type and scale.

    Summed in float64: products of float32 entries would lose rows whose norms differ by many orders of magnitude.
    """
    if jacobian.device.type == "mps":  # knows no float64
        jacobian = jacobian.cpu()
    total = jacobian.new_zeros(len(jacobian), len(jacobian), dtype=torch.float64)
    for part in jacobian.split(CHUNK, dim=1):
        wide = part.to(torch.float64)
        total += wide @ wide.T
    return total.cpu()


def norms(gram: Tensor) -> Tensor:
    """Row norms [T] from the Gram matrix [T, T]."""
    return gram.diagonal().clamp(min=0).sqrt()


def cosines(gram: Tensor) -> Tensor:
    """Pairwise cosines [T, T]; 0 where a row is zero."""
    lengths = norms(gram)
    scale = torch.where(lengths > 0, 1 / lengths, torch.zeros_like(lengths))
    return (gram * scale[:, None] * scale[None, :]).clamp(-1, 1)
