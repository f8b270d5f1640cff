"""Scores of a class map, from one confusion matrix over the whole split."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

IGNORED = 255
"""Label of pixels that count neither in the loss nor in the metrics."""


class OverlapScores(MulticlassConfusionMatrix):
    """miou, iou_<class> for each class, and pixel_accuracy.

    IoU of a class = true positives / (its pixels in the labels or in the predictions), summed over the split.
    A class in neither has IoU NaN and does not count in the mean.
    """

    higher_is_better = True

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__(len(classes), ignore_index=IGNORED, validate_args=False)
        self.parts = tuple(f"iou_{name}" for name in classes)
        self.names = ("miou", *self.parts, "pixel_accuracy")

    def compute(self) -> dict[str, Tensor]:  # type: ignore[override]
        counts = self.confmat.double() if self.confmat.device.type != "mps" else self.confmat.float()
        hits = counts.diagonal()
        iou = hits / (counts.sum(0) + counts.sum(1) - hits)
        return dict(zip(self.names, (iou.nanmean(), *iou, hits.sum() / counts.sum())))
