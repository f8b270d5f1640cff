"""Ordering training rows by their loss, for samplers that start with the easy ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlrun.data.source import Source
from mtlrun.samplers.base import TrainingProgress
from mtlrun.samplers.batch_sampler import BatchSampler
from mtlrun.training.evaluate import Evaluator


def rank_rows(
    sampler: BatchSampler, evaluator: Evaluator, sources: Sequence[Source], progress: TrainingProgress
) -> None:
    """Measure every training row's loss if the sampler wants it, and let it keep the easiest."""
    if not sampler.sampler.wants_row_losses:
        return
    losses = {source.name: evaluator.row_losses(source) for source in sources}
    ranks = [
        torch.stack([relative_ranks(losses[pool.source][task][pool.rows]) for task in pool.tasks]).mean(0)
        for pool in sampler.pools
    ]
    sampler.keep_easiest(ranks, progress)


def relative_ranks(values: Tensor) -> Tensor:
    """Each value's rank among all, from 0 (smallest) to 1, [n]: comparable between tasks of different loss scales."""
    ranks = torch.empty_like(values)
    ranks[values.argsort(stable=True)] = torch.linspace(0, 1, len(values))
    return ranks
