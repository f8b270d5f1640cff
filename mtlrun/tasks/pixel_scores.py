"""Means over the known pixels of a split, pooled as a benchmark pools them, however the rows are batched."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from mtlrun.tasks.numerics import full_precision

BIN_DEGREES = 0.05
BINS = int(180 / BIN_DEGREES)


class PooledMeans(Metric):
    """Mean of several quantities over known pixels: pooled over `pool` consecutive rows, then averaged over the pools.

    With `pool` None all rows are one pool. The code of the NYUv2 and Cityscapes benchmarks averages over the batches
    of its test loader, so its numbers are those of pools of its batch size; here the batch size has no say.

    Args:
        names: of the quantities.
        pool: rows of a pool; None for all.
        higher_is_better: direction of the quantities.
    """

    full_state_update = False
    sums: list[Tensor]
    counts: list[Tensor]

    def __init__(self, names: Sequence[str], pool: int | None, higher_is_better: bool) -> None:
        super().__init__()
        self.names, self.pool, self._higher = tuple(names), pool, higher_is_better
        self.add_state("sums", [])
        self.add_state("counts", [])

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        return self._higher

    def add(self, values: Tensor, known: Tensor) -> None:
        """One more batch of rows: quantities [n, S, H, W] at the pixels, and which of these are known, [n, H, W]."""
        values = torch.where(known.unsqueeze(1), full_precision(values), 0)
        self.sums.extend(values.flatten(2).sum(2).unbind())  # one entry per row: entries are put into the rows' order
        self.counts.extend(known.flatten(1).sum(1).unbind())

    def pooled(self, entries: list[Tensor]) -> Tensor:
        """Sums [pools, ...] of one state over the rows of each pool."""
        rows = torch.stack(entries).to(torch.float32 if self.device.type == "mps" else torch.float64)
        pools = torch.arange(len(rows), device=rows.device) // (self.pool or len(rows))
        return rows.new_zeros(int(pools[-1]) + 1, *rows.shape[1:]).index_add_(0, pools, rows)

    def compute(self) -> dict[str, Tensor]:
        """Each mean; pools without a known pixel do not count, and without any pool it is NaN."""
        counts = self.pooled(self.counts)
        means = self.pooled(self.sums)[counts > 0] / counts[counts > 0].unsqueeze(1)
        return dict(zip(self.names, means.mean(0)))


class DepthErrors(PooledMeans):
    """abs_err |p - g| and rel_err |p - g| / g, over pixels whose depth g is not 0. Takes [n, H, W] twice."""

    def __init__(self, pool: int | None) -> None:
        super().__init__(("abs_err", "rel_err"), pool, higher_is_better=False)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        known = target != 0
        error = (prediction - target).abs()
        self.add(torch.stack([error, error / torch.where(known, target, 1)], 1), known)


class AngleErrors(PooledMeans):
    """mean and median of the angle between unit vectors in degrees. Takes [n, 3, H, W] twice; 0 vectors are unknown.

    The median comes from a histogram of 0.05 degrees, interpolated within its bin.
    """

    histograms: list[Tensor]

    def __init__(self, pool: int | None) -> None:
        super().__init__(("mean", "median"), pool, higher_is_better=False)
        self.add_state("histograms", [])

    def update(self, prediction: Tensor, target: Tensor) -> None:
        known, angles = angles_between(prediction, target)
        self.add(angles.unsqueeze(1), known)
        bins = (angles / BIN_DEGREES).long().clamp(0, BINS - 1)
        for row, present in zip(bins, known):
            self.histograms.append(torch.bincount(row[present], minlength=BINS))

    def compute(self) -> dict[str, Tensor]:
        counts = self.pooled(self.counts)
        mean = (self.pooled(self.sums)[:, 0] / counts)[counts > 0].mean()
        return {"mean": mean, "median": _medians(self.pooled(self.histograms)[counts > 0]).mean()}


class AngleShares(PooledMeans):
    """within_11.25, within_22.5 and within_30: shares of the pixels whose angle is below so many degrees."""

    limits = (11.25, 22.5, 30.0)

    def __init__(self, pool: int | None) -> None:
        super().__init__([f"within_{limit:g}" for limit in self.limits], pool, higher_is_better=True)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        known, angles = angles_between(prediction, target)
        self.add(torch.stack([angles < limit for limit in self.limits], 1).to(angles.dtype), known)


def angles_between(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """(which pixels have a label, angles in degrees), both [n, H, W], of unit vectors [n, 3, H, W]."""
    cosine = (prediction * target).sum(1).clamp(-1, 1)
    return (target != 0).any(1), torch.rad2deg(torch.acos(cosine))


def _medians(histograms: Tensor) -> Tensor:
    """Median in degrees of each histogram [G, BINS] of at least one angle: [G]."""
    cumulated = histograms.cumsum(1)
    half = cumulated[:, -1:] / 2
    middle = (cumulated < half).sum(1, keepdim=True)  # the bin in which half of the angles is reached
    inside, upto = histograms.gather(1, middle), cumulated.gather(1, middle)
    return ((middle + 1 - (upto - half) / inside) * BIN_DEGREES).squeeze(1)
