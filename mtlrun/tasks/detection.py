"""Boxes around objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from mtlrun.errors import DataError
from mtlrun.options import below, whole
from mtlrun.tasks.arguments import check_shape, class_names
from mtlrun.tasks.base import Replacements, Task
from mtlrun.tasks.boxes import centre_targets, decode, focal_loss, shape_loss
from mtlrun.tasks.coco import BoxLists, BoxScores, as_rows, truths
from mtlrun.tasks.dense import FeaturePyramid, Size, conv_block, image_size, resize
from mtlrun.tasks.drawing import colour, draw_box
from mtlrun.tasks.numerics import full_precision
from mtlrun.types import NO_BOX, Feature, region_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHAPES = 4
"""Channels that describe a box: log sides and place within the cell."""

DRAWN_SCORE = 0.3
"""Predictions below this score are not drawn."""


class CentreHead(nn.Module):
    """Feature pyramid on a grid of `stride`, then heat logits and box shapes: -> [n, C + 4, h, w].

    Args:
        features: what the stages put out, with at least one map.
        size: (H, W) of the input; h = ceil(H / stride), w = ceil(W / stride).
        num_classes: C.
        width: channels.
        stride: input pixels per cell.
    """

    def __init__(self, features: Sequence[Feature], size: Size, num_classes: int, width: int, stride: int) -> None:
        super().__init__()
        self.grid = (-(-size[0] // stride), -(-size[1] // stride))
        self.pyramid = FeaturePyramid(features, width, stride)
        self.heat = conv_block(width, num_classes)
        self.shapes = conv_block(width, SHAPES)
        nn.init.constant_(self.heat[-1].bias, -2.19)  # type: ignore[arg-type]  # every cell starts at 10 %

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        merged = resize(self.pyramid(outputs), self.grid)
        return torch.cat([self.heat(merged), self.shapes(merged)], 1)


class Detection(Task):
    """Targets: [N, M, 5] rows (class, x1, y1, x2, y2) in input pixels, padded with class -1.

    Class -2 - c marks a region in which class c is ignored, as COCO's crowds are: the loss does not teach that nothing
    is there, and detections in it count neither as right nor as wrong.

    Output: [n, C + 4, h, w], see `boxes`. Judged by COCO's mAP at IoU .50:.05:.95, higher is better; `judge:
    map_50` or `ap_<class>` for another.

    Args:
        name: the task's name.
        classes: names of the C classes, or C.
        width: channels of the head.
        stride: input pixels per cell. Two centres of one class in a cell cannot be told apart; a head of your
            own must put out the same grid.
        size_weight: weight of the box shapes against the centres in the loss.
        max_detections: boxes per row at most; rows with more labelled ones are refused, since they would cap the score.
        min_score: boxes below this score are left out of the metrics, in [0, 1).
        head, loss, metrics, judge: replace the kind's own, see `Task`. Metrics get torchmetrics' lists of
            dicts.

    Raises:
        ConfigError: if an argument is out of its range.
    """

    default_judge = "map"
    on_picture = True

    def __init__(
        self,
        name: str,
        classes: int | Sequence[str],
        *,
        width: int = 32,
        stride: int = 4,
        size_weight: float = 1.0,
        max_detections: int = 100,
        min_score: float = 0.01,
        **replacements: Unpack[Replacements],
    ) -> None:
        super().__init__(name, **replacements)
        self.classes = class_names(name, "classes", classes, least=1)
        self.width, self.stride = whole(f"width of task '{name}'", width), whole(f"stride of task '{name}'", stride)
        self.size_weight = below(f"size_weight of task '{name}'", size_weight, 0)
        self.max_detections = whole(f"max_detections of task '{name}'", max_detections)
        self.min_score = below(f"min_score of task '{name}'", min_score, 0, 1)
        self.higher_is_better()  # refuses a judge that is no metric

    @property
    def outputs(self) -> int:
        return len(self.classes) + SHAPES

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        """Raises ConfigError for inputs that are no images, or a backbone without feature maps."""
        size = image_size(self.name, features, input_shape)
        return CentreHead(features, size, len(self.classes), self.width, self.stride)

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Focal loss of the centres plus L1 of the shapes [n], divided by the row's boxes (at least 1)."""
        output, num_classes = full_precision(output), len(self.classes)
        grid = (output.shape[2], output.shape[3])
        wanted = centre_targets(target.to(output.dtype), grid, num_classes, self.stride)
        centres = focal_loss(output[:, :num_classes], wanted.heat, wanted.ignored)
        shapes = shape_loss(output[:, num_classes:], wanted)
        return (centres + self.size_weight * shapes) / wanted.present.sum(1).clamp_min(1)

    def default_metrics(self) -> dict[str, Metric]:
        """map, map_50, map_75 and ap_<class>, all from one run of the evaluator."""
        return {"boxes": BoxScores(self.classes, self.max_detections)}

    def check(self, targets: Tensor) -> None:
        check_shape(self.name, targets, "[N, M, 5]", targets.dim() == 3 and targets.shape[2] == 5)
        boxes = targets[targets[..., 0] != NO_BOX]
        classes, x1, y1, x2, y2 = boxes.unbind(1)
        if not boxes.isfinite().all() or (x2 <= x1).any() or (y2 <= y1).any():
            raise DataError(f"boxes of task '{self.name}' must be finite with x1 < x2 and y1 < y2, found others")
        known = torch.where(classes < 0, region_of(classes), classes)
        wrong = (known < 0) | (known >= len(self.classes)) | (classes != classes.floor())
        if wrong.any():
            allowed = f"0 to {len(self.classes) - 1}, -1 for padding, or -2 - c for a region where class c is ignored"
            raise DataError(f"classes of task '{self.name}' must be {allowed}, found {classes[wrong][0].item():g}")
        most = int((targets[..., 0] >= 0).sum(1).max()) if targets.numel() else 0
        if most > self.max_detections:
            raise DataError(
                f"a row of task '{self.name}' holds {most} boxes, and max_detections={self.max_detections} caps its "
                f"score: set task.tasks.{self.name}.max_detections={most}"
            )

    def metric_inputs(self, output: Tensor, target: Tensor) -> tuple[BoxLists, BoxLists]:
        found = self.predict(output)
        return as_rows(found, found[..., 5] >= self.min_score), truths(target)

    def predict(self, output: Tensor) -> Tensor:
        """Boxes [n, k, 6] (class, x1, y1, x2, y2, score), best first."""
        return decode(full_precision(output), len(self.classes), self.stride, self.max_detections)

    def in_pixels_of(self, answer: Tensor, taken: tuple[int, int], given: tuple[int, int]) -> Tensor:
        across, down = given[1] / taken[1], given[0] / taken[0]
        return answer * answer.new_tensor([1.0, across, down, across, down, 1.0])

    def reading(self) -> dict[str, Any]:
        return {"threshold": DRAWN_SCORE, "columns": ["class", "x1", "y1", "x2", "y2", "score"]}

    def cells(self, answer: Tensor) -> dict[str, Any]:
        """The boxes with a score of at least 0.3, as 'car 0.93 (10 20 45 60)' in pixels, and how many."""
        boxes = answer[answer[:, 5] >= DRAWN_SCORE].tolist()
        words = [
            f"{self.classes[int(kind)]} {score:.2f} ({x1:.0f} {y1:.0f} {x2:.0f} {y2:.0f})"
            for kind, x1, y1, x2, y2, score in boxes
        ]
        return {"": "; ".join(words) or "none", "boxes": len(boxes)}

    def legend(self) -> dict[str, str]:
        return {name: colour(index) for index, name in enumerate(self.classes)}

    def draw(self, axes: Axes, target: Tensor, prediction: Tensor | None = None) -> None:
        """Draw the boxes over the picture; of the predictions those with a score of at least 0.3."""
        boxes = target if prediction is None else prediction[prediction[:, 5] >= DRAWN_SCORE]
        for index, *corners in boxes[boxes[:, 0] >= 0, :5].tolist():
            draw_box(axes, corners, colour(int(index)))
