"""What tasks with a measured number or vector at every pixel have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor, nn

from mtlrun.options import whole
from mtlrun.tasks.base import Replacements, Task
from mtlrun.tasks.dense import DenseHead, image_size
from mtlrun.types import Feature


class PixelMeasures(Task):
    """A dense head, and metrics that are pooled over rows. Subclasses say how many numbers a pixel has.

    Args:
        name: the task's name.
        width: channels of the head.
        stride: finest level of the backbone used, in input pixels per feature pixel.
        pool: test rows whose pixels are pooled before the metrics are averaged: the batch size of the papers' test
            loader to compare with their numbers; None pools the whole split.
        head, loss, metrics, judge: replace the kind's own, see `Task`. Metrics get the predictions and the labels.

    Raises:
        ConfigError: if an argument is out of its range.
    """

    on_picture = True
    outputs: int
    """Numbers per pixel."""

    def __init__(
        self,
        name: str,
        *,
        width: int = 32,
        stride: int = 2,
        pool: int | None = None,
        **replacements: Unpack[Replacements],
    ) -> None:
        super().__init__(name, **replacements)
        self.width, self.stride = whole(f"width of task '{name}'", width), whole(f"stride of task '{name}'", stride)
        self.pool = None if pool is None else whole(f"pool of task '{name}'", pool)
        self.higher_is_better()  # refuses a judge that is no metric

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        """Raises ConfigError for inputs that are no images, or a backbone without feature maps."""
        size = image_size(self.name, features, input_shape)
        return DenseHead(features, size, self.outputs, self.width, self.stride)

    def metric_inputs(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return self.predict(output), target
