"""COCO's mean average precision, from pycocotools' evaluator."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from mtlrun.types import NO_BOX, region_of

BoxLists = list[dict[str, Tensor]]
"""Per row boxes [k, 4], labels [k] and, for predictions, scores [k], as torchmetrics takes them."""


def as_rows(values: Tensor, kept: Tensor) -> BoxLists:
    """The kept ones of [n, k, 5 or 6] (class, x1, y1, x2, y2, score) as one dict per row."""
    pieces = values[kept].split(kept.sum(1).tolist())
    rows = [{"boxes": piece[:, 1:5], "labels": piece[:, 0].long()} for piece in pieces]
    if values.shape[2] > 5:
        for row, piece in zip(rows, pieces):
            row["scores"] = piece[:, 5]
    return rows


def truths(boxes: Tensor) -> BoxLists:
    """Labelled boxes [n, M, 5] as one dict per row; ignored regions as the evaluator's crowds, see `region_of`.

    A detection that overlaps none of the boxes enough, and a crowd of its class by that share of its own area, is
    left out of the score.
    """
    rows = as_rows(boxes, boxes[..., 0] != NO_BOX)
    for row in rows:
        crowd = row["labels"] < 0
        row["labels"] = torch.where(crowd, region_of(row["labels"]), row["labels"])
        row["iscrowd"] = crowd.long()
    return rows


def _mean_precision(precision: Tensor) -> Tensor:
    """Mean of [IoU, recall, class, area, detections] for all areas and most detections, over the classes with labels.

    pycocotools' own figure is -1 unless exactly 100 detections count.
    """
    values = precision[:, :, :, 0, -1]
    return values[values > -1].mean() if (values > -1).any() else torch.tensor(-1.0)


class BoxScores(MeanAveragePrecision):
    """map (IoU .50:.05:.95), map_50, map_75 and ap_<class> for each class, from one run of the evaluator.

    NaN for a class without a labelled box in the split; the means are over the others.

    Args:
        classes: names of the classes.
        max_detections: boxes per row that count, the best ones first.
    """

    def __init__(self, classes: Sequence[str], max_detections: int) -> None:
        super().__init__(max_detection_thresholds=[1, min(10, max_detections), max_detections], extended_summary=True)
        self.warn_on_many_detections = False
        self.classes = tuple(classes)
        self.parts = tuple(f"ap_{name}" for name in self.classes)
        self.names = ("map", "map_50", "map_75", *self.parts)

    def compute(self) -> dict[str, Tensor]:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = super().compute()
        values = {"map": _mean_precision(found["precision"])} | {name: found[name] for name in self.names[1:3]}
        values |= self._per_class(found)
        return {name: value.masked_fill(value < 0, torch.nan) for name, value in values.items()}

    def _per_class(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """Mean of the precision over IoU thresholds and recalls; -1 marks a class without labels."""
        absent = torch.tensor(-1.0)
        values = {f"ap_{name}": absent for name in self.classes}
        for position, index in enumerate(torch.atleast_1d(found["classes"]).tolist()):
            precision = found["precision"][:, :, position, 0, -1]  # [IoU, recall] for all areas, most detections
            values[f"ap_{self.classes[index]}"] = precision.mean()
        return values
