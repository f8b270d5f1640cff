"""Which rows make up the batch of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtlrun.errors import ResumeError
from mtlrun.samplers.base import Moment, Sampler
from mtlrun.samplers.pools import Pool, task_sizes
from mtlrun.samplers.walk import Walk


@dataclass(frozen=True)
class Draw:
    """One step's rows: per source its row numbers, the tasks that they supervise, and the step's number."""

    rows: dict[str, Tensor]
    tasks: tuple[str, ...]
    step: int = 0


class Drawer:
    """Draws exactly `batch_size` rows a step; fractions of rows are carried over, so long-run shares are exact.

    Args:
        sampler: gives each task its probability.
        pools: from `make_pools`.
        tasks: all tasks of the run, in order.
        batch_size: rows per step over all sources.
        seed: of the row orders.
    """

    def __init__(
        self, sampler: Sampler, pools: Sequence[Pool], tasks: Sequence[str], batch_size: int, seed: int
    ) -> None:
        self.sampler = sampler
        self.pools = list(pools)
        self.tasks = tuple(tasks)
        self.batch_size = batch_size
        self._sizes = task_sizes(pools, tasks)
        self._walks = [Walk(pool.rows, seed, place) for place, pool in enumerate(pools)]
        self._owed = [0.0] * len(pools)

    def next(self, moment: Moment) -> Draw:
        """The rows of the step that begins at `moment`."""
        probabilities = self.sampler.probabilities(self._sizes, moment)
        counts = self._apportion(self._pool_shares(probabilities))
        rows: dict[str, list[Tensor]] = {}
        for pool, walk, count in zip(self.pools, self._walks, counts):
            if count:
                rows.setdefault(pool.source, []).append(walk.take(count))
        joined = {source: parts[0] if len(parts) == 1 else torch.cat(parts) for source, parts in rows.items()}
        tasks = tuple(task for task in self.tasks if probabilities.get(task, 0) > 0)
        return Draw(joined, tasks, moment.step)

    def rank(self, losses: Sequence[Tensor], moment: Moment) -> None:
        """Keep each pool's easiest rows in use.

        Args:
            losses: per pool the loss of each of its rows, [n] (see `Sampler.wants_row_losses`).
        """
        share = self.sampler.share_in_use(moment)
        for pool, walk, values in zip(self.pools, self._walks, losses):
            count = max(1, round(share * len(pool.rows)))
            walk.restrict(pool.rows[values.argsort(stable=True)[:count].sort().values])

    def state_dict(self) -> dict[str, Any]:
        return {"owed": list(self._owed), "walks": [walk.state_dict() for walk in self._walks]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            ResumeError: if there are other pools now, or fewer rows than some pool has walked over.
        """
        if len(state["walks"]) != len(self.pools):
            raise ResumeError(
                f"the checkpoint draws from {len(state['walks'])} pools of rows, and the data have {len(self.pools)} "
                "now: give them back as they were, or start a new run with init_from"
            )
        self._owed = list(state["owed"])
        for walk, saved in zip(self._walks, state["walks"]):
            walk.load_state_dict(saved)

    def _pool_shares(self, probabilities: dict[str, float]) -> list[float]:
        """A pool's share is the sum over its tasks; a task with several pools splits its own by their rows."""
        return [
            sum(probabilities.get(task, 0.0) * len(pool.rows) / self._sizes[task] for task in pool.tasks)
            for pool in self.pools
        ]

    def _apportion(self, shares: list[float]) -> list[int]:
        """Whole rows per pool that sum to the batch size: what is owed rounded down, then the largest remainders."""
        active = [place for place, share in enumerate(shares) if share > 0]
        carried = sum(self._owed[place] for place in active)  # not 0 only after a pool has dropped out
        for place, share in enumerate(shares):
            self._owed[place] = self._owed[place] + share * (self.batch_size - carried) if share > 0 else 0.0
        counts = [max(0, int(owed)) for owed in self._owed]
        by_remainder = sorted(active, key=lambda place: counts[place] - self._owed[place])
        for place in by_remainder[: max(0, self.batch_size - sum(counts))]:
            counts[place] += 1
        for place in reversed(by_remainder):  # pools that owe rows can push the others' sum above the batch size
            counts[place] -= min(max(sum(counts) - self.batch_size, 0), counts[place])
        self._owed = [owed - count for owed, count in zip(self._owed, counts)]
        return counts
