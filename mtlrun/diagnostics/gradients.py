"""How the tasks' gradients on the shared parameters relate: cosines, conflicts, shares of the update."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from mtlrun.linalg.gram import cosines, norms
from mtlrun.runs.update_share import update_parts

COST = 0.04
"""Share of the training time that measuring may take by default."""
BACKWARD = 2 / 3
"""A backward pass's part of a plain step."""
FREE_INTERVAL = 10
"""Steps between two records where the balancer computes the Gram matrix anyway: the files stay small."""


def default_interval(tasks: int, free: bool) -> int:
    """Steps between two measurements, such that they take under 5 % of the time.

    A measured step takes one backward pass per task in place of one.
    """
    return FREE_INTERVAL if free else max(FREE_INTERVAL, math.ceil((tasks - 1) * BACKWARD / COST))


class PairStatistics:
    """Mean cosine and share of conflicting steps of every pair, and each task's share of all measured updates.

    Args:
        tasks: all tasks of the run, in order.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self._pairs = torch.zeros(3, len(tasks), len(tasks), dtype=torch.float64)  # cosines, conflicts, measured
        self._updates = torch.zeros(2, len(tasks), dtype=torch.float64)  # sums of <w g, d> and of <d, d>

    def add(self, tasks: Sequence[str], gram: Tensor, weights: Tensor | None) -> list[tuple[str, str, float]]:
        """Note one measured step; returns (task_a, task_b, cosine) of each pair, in the order of the run's tasks.

        Args:
            tasks: the active ones, [T].
            gram: [T, T] on the CPU.
            weights: [T], or None if the update is not a weighted sum.
        """
        places = [self.tasks.index(task) for task in tasks]
        indices = torch.tensor(places)
        matrix = cosines(gram)
        there = norms(gram) > 0
        measured = (there[:, None] & there[None, :]).double()
        stack = torch.stack([matrix * measured, (matrix < 0).double() * measured, measured])
        self._pairs[:, indices[:, None], indices[None, :]] += stack
        self._add_shares(indices, gram, weights)
        values = matrix.tolist()
        in_order = sorted(range(len(tasks)), key=places.__getitem__)  # a step may have its tasks in another order
        return [(tasks[a], tasks[b], values[a][b]) for a, b in combinations(in_order, 2)]

    def pairs(self) -> list[dict[str, Any]]:
        """One record per pair that was ever measured."""
        found = []
        for a, task_a in enumerate(self.tasks):
            for b, task_b in enumerate(self.tasks[a + 1 :], start=a + 1):
                total, conflicts, measured = self._pairs[:, a, b].tolist()
                if measured:
                    record = {"mean_cosine": total / measured, "conflict_share": conflicts / measured}
                    found.append({"task_a": task_a, "task_b": task_b, **record, "measured": int(measured)})
        return found

    def conflict_share(self) -> float | None:
        """Share of conflicts over all measured pairs and steps; None if there was none."""
        _, conflicts, measured = self._pairs.triu(1).sum((1, 2)).tolist()
        return conflicts / measured if measured else None

    def update_shares(self) -> dict[str, float | None]:
        """Per task its share of the updates at the measured steps that it was part of: a ratio of sums."""
        parts, totals = self._updates.tolist()
        return {task: part / total if total else None for task, part, total in zip(self.tasks, parts, totals)}

    def state_dict(self) -> dict[str, Any]:
        return {"pairs": self._pairs, "updates": self._updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._pairs = state["pairs"].clone()
        if "updates" in state:  # older checkpoints hold sums of shares, which cannot be gone on with
            self._updates = state["updates"].clone()

    def _add_shares(self, indices: Tensor, gram: Tensor, weights: Tensor | None) -> None:
        if weights is None:
            return
        parts = torch.from_numpy(
            update_parts(weights.to("cpu", torch.float64).numpy(), norms(gram).numpy(), cosines(gram).numpy())
        )
        if bool(parts.isfinite().all()):
            self._updates[0, indices] += parts
            self._updates[1, indices] += parts.sum()
