"""PCGrad (Yu et al. 2020, arXiv:2001.06782, Algorithm 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtlrun.balancers.base import GramBalancer


class PCGrad(GramBalancer):
    """Projects each gradient off the others that it conflicts with, in random order, and sums the results.

    Every projection stays in the span of the gradients: coefficients [T, T] and the Gram matrix are all it takes.

    Args:
        seed: of the random orders.
    """

    def __init__(self, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        products = gram.numpy()
        rows, squares = np.arange(len(products)), products.diagonal()
        coefficients = np.eye(len(products))  # row i: the projected gradient i in terms of all
        for others in self._orders(len(products)).numpy().T:
            inner = (coefficients * products[others]).sum(1)
            conflict = (inner < 0) & (squares[others] > 0)
            coefficients[rows, others] -= np.divide(inner, squares[others], where=conflict, out=np.zeros_like(inner))
        return torch.from_numpy(coefficients.sum(0))

    def _orders(self, tasks: int) -> Tensor:
        """A fresh random order of the other tasks for each task, [T, T - 1]."""
        draws = torch.rand(tasks, tasks, generator=self._generator, dtype=torch.float64)
        order = draws.fill_diagonal_(-1).argsort(1)  # the task itself comes first and is dropped
        return order[:, 1:]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._generator.set_state(state["generator"])
