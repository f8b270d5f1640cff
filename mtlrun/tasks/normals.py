"""The direction that a surface faces, at every pixel."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.nn.functional import normalize
from torchmetrics import Metric

from mtlrun.errors import DataError
from mtlrun.tasks.arguments import check_shape
from mtlrun.tasks.numerics import full_precision, mean_present
from mtlrun.tasks.pixel_measures import PixelMeasures
from mtlrun.tasks.pixel_scores import AngleErrors, AngleShares

if TYPE_CHECKING:
    from matplotlib.axes import Axes


log = logging.getLogger(__name__)

ROUNDED, LONGEST = 1.01, 1.05
"""Lengths that are warned of, and refused: rounding each entry to 8 bits makes a unit vector up to 1.015 long."""


class SurfaceNormals(PixelMeasures):
    """Targets: unit vectors [N, 3, H, W], the zero vector = unknown pixel. Output: [n, 3, H, W], of any length.

    Loss and metrics as in the NYUv2 benchmark of Liu et al., "End-to-End Multi-Task Learning with Attention", CVPR
    2019, arXiv:1803.10704: 1 - cosine between the normalised output and the label; judged by `mean`, the mean angle in
    degrees, lower is better; `median`; and within_11.25, within_22.5 and within_30, shares of the pixels below so many
    degrees. Deviations: the loss is the mean over rows of each row's mean, theirs is over all known pixels of the
    batch; unknown is a zero vector, theirs is one whose three entries sum to 0.

    With `pool`, the median is a mean of medians.
    """

    default_judge = "mean"
    outputs = 3

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """1 - cosine [n]: mean over the row's known pixels, 0 if it has none."""
        cosine = (self.predict(full_precision(output)) * target).sum(1)
        return mean_present(1 - cosine, (target != 0).any(1))

    def default_metrics(self) -> dict[str, Metric]:
        """mean and median in degrees, and the shares within_11.25, within_22.5 and within_30."""
        return {"angles": AngleErrors(self.pool), "shares": AngleShares(self.pool)}

    def check(self, targets: Tensor) -> None:
        fits = targets.dim() == 4 and targets.shape[1] == 3
        check_shape(self.name, targets, "[N, 3, H, W]", fits)
        longest = float(targets.norm(dim=1).max()) if targets.is_floating_point() and targets.numel() else 0.0
        if not targets.is_floating_point() or not targets.isfinite().all() or longest > LONGEST:
            raise DataError(
                f"labels of task '{self.name}' must be unit vectors, zero vectors for unknown pixels: found a length "
                f"of {longest:.3g}"
            )
        if longest > ROUNDED:
            log.warning(
                "labels of task '%s' have lengths up to %.3f, as vectors in 8 bits do: divide them by their lengths "
                "for exact angles",
                self.name,
                longest,
            )

    def predict(self, output: Tensor) -> Tensor:
        """Unit vectors [n, 3, H, W]."""
        return normalize(output, dim=1)

    def cells(self, answer: Tensor) -> dict[str, Any]:
        """The mean direction."""
        return dict(zip("xyz", answer.flatten(1).mean(1).tolist()))

    def draw(self, axes: Axes, target: Tensor, prediction: Tensor | None = None) -> None:
        """Paint x, y and z as red, green and blue, from -1 (dark) to 1; unknown pixels of the label stay clear."""
        shown = target if prediction is None else prediction
        opacity = (target != 0).any(0, keepdim=True) if prediction is None else shown[:1].new_ones(shown[:1].shape)
        colours = ((shown.float().clamp(-1, 1) + 1) / 2).cpu().numpy()
        overlay = np.concatenate([colours, opacity.float().cpu().numpy()])
        axes.imshow(overlay.transpose(1, 2, 0), interpolation="nearest")
