"""Metrics of several numbers per row: each output on its own, unknown entries left out, then the mean."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.regression import R2Score
from torchmetrics.wrappers import MultioutputWrapper


class DefinedR2(R2Score):
    """R2 that is NaN, not an error, below two rows."""

    def compute(self) -> Tensor:
        return super().compute() if self.total >= 2 else torch.full((), torch.nan, device=self.total.device)


class OutputMean(MultioutputWrapper):
    """Mean of a metric over the outputs D; NaN rows are left out per output. Takes [n, D], or [n] for D = 1.

    Args:
        metric: of one output; copied for each.
        outputs: D.
        centre, scale: [D], taken off and divided by first. For metrics that this does not change (R2): their
            float32 sums of squares lose every digit where the mean is large against the deviation. A centre in float64
            is taken off in float64; what is left is summed in float32.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, metric: Metric, outputs: int, centre: Tensor | None = None, scale: Tensor | None = None) -> None:
        super().__init__(metric, outputs)
        self.register_buffer("centre", torch.zeros(outputs) if centre is None else centre.clone())
        self.register_buffer("scale", torch.ones(outputs) if scale is None else scale.clone())

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        return self.metrics[0].higher_is_better  # type: ignore[return-value]

    def update(self, prediction: Tensor, target: Tensor) -> None:
        count = len(self.metrics)
        pair = (values.reshape(len(values), count) for values in (prediction, target))
        centred = ((values - self.centre) / self.scale for values in pair)
        super().update(*(values.float() if self.centre.dtype == torch.float64 else values for values in centred))

    def compute(self) -> Tensor:
        return super().compute().nanmean()
