"""Gram matrices of per-task gradients, and what can be read off them. Shapes: T tasks, P parameters."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 2048
"""Columns of one small product: a batch of these is several times as fast as one product of long, thin matrices."""
BLOCKS = 16
"""Products per batch: their float64 copy stays in cache."""


def gram_matrix(jacobian: Tensor) -> Tensor:
    """J J^T [T, T] in float64 on the CPU, for rows [T, P] of any floating type and scale.

    Summed in float64: products of float32 entries would lose rows whose norms differ by many orders of magnitude.
    """
    if jacobian.device.type == "mps":  # knows no float64
        jacobian = jacobian.cpu()
    rows, columns = jacobian.shape
    whole = columns - columns % (BLOCK * BLOCKS)
    rest = (jacobian[:, whole:] if whole else jacobian).to(torch.float64)
    products = rest @ rest.T
    if whole:
        total = torch.zeros_like(products)
        wide = jacobian.new_empty(BLOCKS, rows, BLOCK, dtype=torch.float64)
        for part in jacobian[:, :whole].split(BLOCK * BLOCKS, dim=1):
            wide.copy_(part.unflatten(1, (BLOCKS, BLOCK)).transpose(0, 1))
            total += (wide @ wide.mT).sum(0)
        products = total + products
    return products.cpu()


def norms(gram: Tensor) -> Tensor:
    """Row norms [T] from the Gram matrix [T, T]."""
    return gram.diagonal().clamp(min=0).sqrt()


def cosines(gram: Tensor) -> Tensor:
    """Pairwise cosines [T, T]; 0 where a row is zero."""
    lengths = norms(gram)
    scale = torch.where(lengths > 0, 1 / lengths, torch.zeros_like(lengths))
    return (gram * scale[:, None] * scale[None, :]).clamp(-1, 1)
