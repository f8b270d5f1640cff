"""Gradients that solvers find awkward, for any number of tasks. Shapes: T tasks, P parameters."""

from __future__ import annotations

import torch
from torch import Tensor


def numbers(
    tasks: int = 3, parameters: int = 50, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """(losses [T] from 0.5 to 1.5, gradients [T, P]) as they come."""
    generator = torch.Generator().manual_seed(seed)
    jacobian = torch.randn(tasks, parameters, generator=generator, dtype=dtype)
    return torch.rand(tasks, generator=generator, dtype=dtype) + 0.5, jacobian


def awkward(tasks: int) -> dict[str, Tensor]:
    """Name -> gradients [T, P]: missing, equal, opposite, stationary, of all sizes, rank-deficient."""
    ordinary, first = numbers(tasks)[1], numbers(tasks)[1][:1]
    single = numbers(tasks, dtype=torch.float32)[1]
    scales = torch.logspace(-4, 4, tasks, dtype=torch.float64)[:, None]
    return {
        "ordinary": ordinary,
        "zero row": ordinary * _column(tasks, [0.0, 1.0, 1.0]),
        "all zero": torch.zeros(tasks, 50, dtype=torch.float64),
        "identical": first.repeat(tasks, 1),
        "opposite": first * torch.tensor([1.0] + [-1.0] * (tasks - 1), dtype=torch.float64)[:, None],
        "stationary": stationary(tasks),
        "scales": ordinary * scales,
        "float32": single,
        "huge": ordinary * 1e6,
        "tiny": ordinary * 1e-6,
        "huge, single precision": single * 1e15,
        "rank one": first * _column(tasks, [1.0, 2.0, -0.5]),
        "fewer parameters than tasks": numbers(tasks, parameters=max(1, tasks - 1))[1],
        "one direction, many scales": first * scales,
    }


def stationary(tasks: int) -> Tensor:
    """Gradients [T, 2] that add up to zero."""
    if tasks == 1:
        return torch.zeros(1, 2, dtype=torch.float64)
    others = torch.full((tasks - 1,), -1 / (tasks - 1), dtype=torch.float64)
    sideways = torch.linspace(1, -1, tasks - 1, dtype=torch.float64) if tasks > 2 else torch.zeros_like(others)
    first = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    return torch.cat([first, torch.stack([others, sideways], 1)])


def _column(tasks: int, values: list[float]) -> Tensor:
    """The values over and over, [T, 1]."""
    return torch.tensor([values[row % len(values)] for row in range(tasks)], dtype=torch.float64)[:, None]
