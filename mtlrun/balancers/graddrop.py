"""Gradient sign dropout (Chen et al. 2020, arXiv:2010.06808, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import JacobianBalancer
from mtlrun.balancers.draws import check_seed, step_generator
from mtlrun.balancers.number_per_task import NumberPerTask
from mtlrun.options import number

CHUNK = 1 << 16
"""Columns that are combined at once, so that temporary copies stay in cache."""


class GradDrop(JacobianBalancer):
    """Keeps, in each coordinate, only the gradients of one sign, drawn in proportion to their share.

    The sign purity of a coordinate is P = (1 + sum_t g_t / sum_t |g_t|) / 2 (Eq. 1). One uniform draw U per coordinate
    keeps the positive entries if P > U and the negative ones otherwise: mask M_t. The update is
    sum_t l_t g_t + (1 - l_t) M_t g_t with leaks l_t. A coordinate in which all gradients are zero stays zero.

    Deviations: P == U, which the paper leaves out of both cases, keeps the negative entries. The rows are gradients on
    the shared parameters; the paper's layer works on those on shared activations. Its f(P) is the identity.

    Args:
        leak: share of a gradient that passes whatever its sign, from 0 to 1: one number, or task name -> number with 0
            for the others.
        seed: of the draws, which follow from the seed and the number of the step.

    Raises:
        ConfigError: for a leak outside 0 to 1.
    """

    gives_weights = False

    def __init__(self, leak: float | Mapping[str, float] | None = None, seed: int = 0) -> None:
        by_task = dict(leak) if isinstance(leak, Mapping) else {}
        for_all = 0.0 if leak is None or isinstance(leak, Mapping) else leak
        for suffix, value in {"": for_all, **{f".{task}": value for task, value in by_task.items()}}.items():
            number(f"balancer.leak{suffix}", value, 0, 1)
        self.leaks = NumberPerTask("leak", by_task, for_all)
        self._leaky = any([for_all, *by_task.values()])
        self.seed = check_seed(seed)
        self._step = 0

    def check(self, tasks: Sequence[str]) -> None:
        self.leaks.check(tasks)

    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[None, Tensor]:
        leaks = self.leaks.get(tasks, jacobian) if self._leaky else None
        generator = step_generator(self.seed, self._step, jacobian.device)
        self._step += 1
        parts = []
        for rows in jacobian.split(CHUNK, dim=1):
            uniform = torch.rand(rows.shape[1], generator=generator, dtype=rows.dtype, device=rows.device)
            parts.append(drop(rows, uniform, leaks))
        return None, torch.cat(parts)

    def state_dict(self) -> dict[str, Any]:
        return {"seed": self.seed, "step": self._step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seed, self._step = state["seed"], state["step"]


def drop(rows: Tensor, uniform: Tensor, leaks: Tensor | None = None) -> Tensor:
    """The update [P] from gradients [T, P], one uniform draw per coordinate [P] and leaks [T], None for zeros.

    With the sums u >= 0 of the positive and d <= 0 of the negative entries, the purity is u / (u - d).
    """
    positive, negative = rows.clamp(min=0), rows.clamp(max=0)
    ups, downs = positive.sum(0), negative.sum(0)
    positive_wins = ups / (ups - downs) > uniform  # NaN where all are zero: either sign adds nothing there
    if leaks is None:
        return torch.where(positive_wins, ups, downs)
    kept = 1 - leaks
    return torch.where(positive_wins, kept @ positive, kept @ negative) + leaks @ rows
