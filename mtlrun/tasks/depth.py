"""The distance at every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchmetrics import Metric

from mtlrun.errors import DataError
from mtlrun.tasks.arguments import check_shape
from mtlrun.tasks.numerics import full_precision, mean_present
from mtlrun.tasks.pixel_measures import PixelMeasures
from mtlrun.tasks.pixel_scores import DepthErrors

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Depth(PixelMeasures):
    """Targets: depth or inverse depth [N, H, W] in the data's unit, 0 = unknown pixel. Output: [n, 1, H, W].

    Loss and metrics as in the NYUv2 and Cityscapes benchmarks of Liu et al., "End-to-End Multi-Task Learning with
    Attention", CVPR 2019, arXiv:1803.10704: absolute error over the known pixels; judged by `abs_err`, its mean in the
    data's unit, lower is better; and `rel_err`, the mean of |p - g| / g. Deviation: the loss is the mean over rows of
    each row's mean, theirs is over all known pixels of the batch.
    """

    default_judge = "abs_err"
    outputs = 1

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Absolute error [n]: mean over the row's known pixels, 0 if it has none."""
        return mean_present((self.predict(full_precision(output)) - target).abs(), target != 0)

    def default_metrics(self) -> dict[str, Metric]:
        """abs_err and rel_err."""
        return {"depth": DepthErrors(self.pool)}

    def check(self, targets: Tensor) -> None:
        check_shape(self.name, targets, "[N, H, W]", targets.dim() == 3)
        if not targets.is_floating_point() or not targets.isfinite().all():
            raise DataError(f"labels of task '{self.name}' must be finite floating-point numbers, 0 for unknown pixels")

    def predict(self, output: Tensor) -> Tensor:
        """[n, H, W], in the unit of the targets."""
        return output.squeeze(1)

    def cells(self, answer: Tensor) -> dict[str, Any]:
        """Mean, smallest and largest value, in the data's unit."""
        return {"mean": float(answer.mean()), "min": float(answer.min()), "max": float(answer.max())}

    def draw(self, axes: Axes, target: Tensor, prediction: Tensor | None = None) -> None:
        """Paint the depths, small ones bright, on the scale of the label; its unknown pixels stay clear."""
        known = target[target != 0]
        low, high = (known.min().item(), known.max().item()) if len(known) else (0.0, 1.0)
        shown = target.masked_fill(target == 0, torch.nan) if prediction is None else prediction
        axes.imshow(shown.cpu().numpy(), cmap="magma_r", vmin=low, vmax=high, interpolation="nearest")
