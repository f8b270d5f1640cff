"""Which rows make up the batch of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtlrun.errors import ResumeError
from mtlrun.samplers.answers import checked_probabilities
from mtlrun.samplers.base import Sampler, TrainingProgress
from mtlrun.samplers.pools import Pool, task_sizes
from mtlrun.samplers.shuffled_passes import ShuffledPasses


@dataclass(frozen=True)
class BatchIndices:
    """One step's rows: per source its row numbers, the tasks that they supervise, and the step's number."""

    rows: dict[str, Tensor]
    tasks: tuple[str, ...]
    step: int = 0


class BatchSampler:
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
        self.sizes = task_sizes(pools, tasks)
        self._passes = [ShuffledPasses(pool.rows, seed, index) for index, pool in enumerate(pools)]
        self._owed = [0.0] * len(pools)
        self._probabilities: Mapping[str, float] | None = None

    def next(self, progress: TrainingProgress) -> BatchIndices:
        """The rows of the step that begins at `progress`."""
        probabilities = checked_probabilities(self.sampler, self.sizes, progress, self._probabilities)
        if probabilities is not self._probabilities:
            self._follow(probabilities)
        counts = self._apportion(self._shares)
        rows: dict[str, list[Tensor]] = {}
        for pool, passes, count in zip(self.pools, self._passes, counts):
            if count:
                rows.setdefault(pool.source, []).append(passes.take(count))
        joined = {source: parts[0] if len(parts) == 1 else torch.cat(parts) for source, parts in rows.items()}
        return BatchIndices(joined, self._active, progress.step)

    def drop_rest(self) -> None:
        """Leave out what is left of each pool's pass: the next rows are of a new one."""
        for passes in self._passes:
            passes.begin()

    def keep_easiest(self, losses: Sequence[Tensor], progress: TrainingProgress) -> None:
        """Draw from each pool's easiest rows only.

        Args:
            losses: per pool the loss of each of its rows, [n] (see `Sampler.wants_row_losses`).
        """
        share = self.sampler.share_in_use(progress)
        for pool, passes, values in zip(self.pools, self._passes, losses):
            count = max(1, round(share * len(pool.rows)))
            passes.restrict(pool.rows[values.argsort(stable=True)[:count].sort().values])

    def state_dict(self) -> dict[str, Any]:
        return {"owed": list(self._owed), "passes": [passes.state_dict() for passes in self._passes]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            ResumeError: if there are other pools now, or fewer rows than some pool has walked over.
        """
        if len(state["passes"]) != len(self.pools):
            raise ResumeError(
                f"the checkpoint draws from {len(state['passes'])} pools of rows, and the data have {len(self.pools)} "
                "now: give them back as they were, or start a new run with init_from"
            )
        self._owed = list(state["owed"])
        for passes, saved in zip(self._passes, state["passes"]):
            passes.load_state_dict(saved)

    def _follow(self, probabilities: Mapping[str, float]) -> None:
        """Draw by these from now on. They are copied: a sampler may change its answer in place."""
        self._probabilities, self._shares = {**probabilities}, self._pool_shares(probabilities)
        self._active = tuple(task for task in self.tasks if probabilities.get(task, 0) > 0)

    def _pool_shares(self, probabilities: Mapping[str, float]) -> list[float]:
        """A pool's share is the sum over its tasks; a task with several pools splits its own by their rows."""
        return [
            sum(probabilities.get(task, 0.0) * len(pool.rows) / self.sizes[task] for task in pool.tasks)
            for pool in self.pools
        ]

    def _apportion(self, shares: list[float]) -> list[int]:
        """Whole rows per pool that sum to the batch size: what is owed rounded down, then the largest remainders.

        `_owed` keeps per pool how many rows it should have had so far, less those that it had: a fraction of a row, or
        below 0 after rounding up. So a pool whose share is 0.1 rows a batch gets a row in every tenth batch, and
        while the shares stay as they are none is ever a whole row behind.
        """
        if len(shares) == 1:
            return [self.batch_size]
        active = [pool for pool, share in enumerate(shares) if share > 0]
        # Together the active pools are owed nothing, unless a pool has dropped out and taken its debt with it. What is
        # missing then is spread by shares, so that what is owed sums to the batch size again.
        carried = sum(self._owed[pool] for pool in active)
        for pool, share in enumerate(shares):
            self._owed[pool] = self._owed[pool] + share * (self.batch_size - carried) if share > 0 else 0.0
        counts = [max(0, int(owed)) for owed in self._owed]
        by_remainder = sorted(active, key=lambda pool: counts[pool] - self._owed[pool])
        for pool in by_remainder[: max(0, self.batch_size - sum(counts))]:
            counts[pool] += 1
        # A pool that has had more than its share owes rows, and cannot give any back: without this the others' counts
        # would sum to more than the batch. Those with the smallest remainders wait for the next one.
        for pool in reversed(by_remainder):
            counts[pool] -= min(max(sum(counts) - self.batch_size, 0), counts[pool])
        self._owed = [owed - count for owed, count in zip(self._owed, counts)]
        return counts


class SamplerAtEpochStart:
    """The batch sampler as it stood when the epoch began, which is what a checkpoint keeps of it.

    Batches are drawn ahead of the steps that they are for, by as many as the data workers have in hand. So in the
    middle of an epoch the sampler is past the step that is saved, and how far depends on the workers. A resumed run
    draws the epoch's batches again from its start, and leaves out those that it has trained on.
    """

    def __init__(self, sampler: BatchSampler) -> None:
        self._sampler, self._noted = sampler, sampler.state_dict()

    def note(self) -> None:
        """The sampler stands between two epochs."""
        self._noted = self._sampler.state_dict()

    def state_dict(self) -> dict[str, Any]:
        return self._noted

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._sampler.load_state_dict(state)
        self._noted = state
