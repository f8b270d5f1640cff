"""Ranking training rows by their loss, for samplers that start with the easy ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlrun.data.source import Source
from mtlrun.samplers.base import TrainingProgress
from mtlrun.samplers.batch_sampler import BatchSampler
from mtlrun.training.evaluate import Evaluator


def rank_rows(drawer: BatchSampler, evaluator: Evaluator, sources: Sequence[Source], moment: TrainingProgress) -> None:
    """Measure every training row's loss if the sampler wants it, and let the drawer keep the easiest."""
    if not drawer.sampler.wants_row_losses:
        return
    losses = {source.name: evaluator.row_losses(source) for source in sources}
    ranks = [
        torch.stack([relative_ranks(losses[pool.source][task][pool.rows]) for task in pool.tasks]).mean(0)
        for pool in drawer.pools
    ]
    drawer.keep_easiest(ranks, moment)


def relative_ranks(values: Tensor) -> Tensor:
    """Each value's place among all, from 0 (smallest) to 1, [n]: comparable between tasks of different loss scales."""
    places = torch.empty_like(values)
    places[values.argsort(stable=True)] = torch.linspace(0, 1, len(values))
    return places
