"""Boxes as centre points on a grid, and back. All on the device, without loops over rows or boxes.

Zhou, Wang and Kraehenbuehl, Objects as Points, 2019 (CenterNet). Deviations: the Gaussians follow the box's
two sides (Liu et al., Training-Time-Friendly Network, AAAI 2020, with its alpha = 0.54) instead of one
radius, sizes are regressed as logarithms, and losses are per row.

Shapes: n rows, M boxes per row (padded), C classes, h x w cells of `stride` input pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, max_pool2d

from mtlrun.types import region_of

GAUSSIAN_SHARE = 0.54 / 6
"""Deviation of a centre's Gaussian as a share of the box's side."""

SMALLEST_DEVIATION = 1 / 6
"""In cells: the next cell is background for a box below two cells."""


@dataclass(frozen=True, slots=True)
class CentreTargets:
    """What the boxes say about each cell.

    heat: [n, C, h, w], 1 at the cell of each centre, falling off around it.
    cells: int64 [n, M], the cell of each centre in row-major order; 0 for padding.
    shapes: [n, 4, M]: log(width / stride), log(height / stride), and the centre's position within its cell (x,
        y).
    present: bool [n, M], False for padding and for ignored regions.
    ignored: bool [n, C, h, w], the cells in regions where a class is ignored.
    """

    heat: Tensor
    cells: Tensor
    shapes: Tensor
    present: Tensor
    ignored: Tensor


def centre_targets(boxes: Tensor, grid: tuple[int, int], num_classes: int, stride: int) -> CentreTargets:
    """Targets on an h x w grid for boxes [n, M, 5]: class, x1, y1, x2, y2 in input pixels.

    Class -1 is padding, and -2 - c a region in which class c is ignored.
    """
    present = boxes[..., 0] >= 0
    x1, y1, x2, y2 = torch.where(present.unsqueeze(-1), boxes[..., 1:] / stride, 0).unbind(-1)
    sides = torch.stack([x2 - x1, y2 - y1], 1)  # [n, 2, M], in cells
    centres = torch.stack([x1 + x2, y1 + y2], 1) / 2
    columns, rows = (centres[:, axis].floor().clamp(0, count - 1) for axis, count in enumerate(grid[::-1]))
    cells = torch.stack([columns, rows], 1)
    shapes = torch.cat([sides.clamp_min(1e-4).log(), centres - cells], 1)
    bumps = _bumps(cells, sides, grid) * present[..., None, None]
    classes = torch.where(present, boxes[..., 0], 0).long()[..., None, None].expand_as(bumps)
    heat = bumps.new_zeros(len(boxes), num_classes, *grid).scatter_reduce_(1, classes, bumps, "amax")
    ignored = _ignored_cells(boxes, grid, num_classes, stride)
    return CentreTargets(heat, (rows * grid[1] + columns).long(), shapes, present, ignored)


def _ignored_cells(boxes: Tensor, grid: tuple[int, int], num_classes: int, stride: int) -> Tensor:
    """Which cells have their middle in a region where a class is ignored: bool [n, C, h, w]."""
    height, width = ((torch.arange(count, device=boxes.device) + 0.5) * stride for count in grid)
    x1, y1, x2, y2 = boxes[..., 1:, None].unbind(2)
    in_x, in_y = ((x1 <= width) & (width <= x2)).to(boxes), ((y1 <= height) & (height <= y2)).to(boxes)
    marks = region_of(torch.arange(num_classes, device=boxes.device))
    by_class = (boxes[:, None, :, 0] == marks[:, None]).to(boxes)  # [n, C, M]
    rows = (by_class.unsqueeze(3) * in_y.unsqueeze(1)).transpose(2, 3)  # [n, C, h, M]: no [n, M, h, w] is made
    return rows @ in_x.unsqueeze(1) > 0


def _bumps(cells: Tensor, sides: Tensor, grid: tuple[int, int]) -> Tensor:
    """A Gaussian of height 1 around each centre's cell: [n, 2, M] -> [n, M, h, w]."""
    deviation = (GAUSSIAN_SHARE * sides).clamp_min(SMALLEST_DEVIATION)
    along_x, along_y = (
        torch.exp(-0.5 * ((torch.arange(count, device=cells.device) - cells[:, axis, :, None]) / width).square())
        for axis, count, width in (
            (0, grid[1], deviation[:, 0, :, None]),
            (1, grid[0], deviation[:, 1, :, None]),
        )
    )
    return along_y.unsqueeze(3) * along_x.unsqueeze(2)


def focal_loss(logits: Tensor, heat: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Penalty-reduced focal loss (CenterNet, equation 1: alpha 2, beta 4), summed over the cells: [n].

    Cells that are `ignored` count only where a box has its centre.
    """
    chance = logits.sigmoid()
    centre = (1 - chance).square() * logsigmoid(logits)
    around = (1 - heat).pow(4) * chance.square() * logsigmoid(-logits)
    if ignored is not None:
        around = around.masked_fill(ignored, 0)
    return -torch.where(heat == 1, centre, around).flatten(1).sum(1)


def shape_loss(shapes: Tensor, targets: CentreTargets) -> Tensor:
    """Absolute error at the centres' cells, summed over boxes: maps of shapes [n, 4, h, w] -> [n]."""
    found = shapes.flatten(2).gather(2, targets.cells.unsqueeze(1).expand(-1, 4, -1))
    return torch.where(targets.present.unsqueeze(1), (found - targets.shapes).abs(), 0).flatten(1).sum(1)


def decode(output: Tensor, num_classes: int, stride: int, most: int) -> Tensor:
    """The highest peaks as boxes [n, k, 6] (class, x1, y1, x2, y2, score), best first; k <= most.

    Args:
        output: [n, C + 4, h, w], heat logits and shapes.
        num_classes: C.
        stride: input pixels per cell.
        most: boxes per row.
    """
    height, width = output.shape[-2:]
    heat = output[:, :num_classes].sigmoid()
    peaks = torch.where(heat == max_pool2d(heat, 3, stride=1, padding=1), heat, 0)
    scores, positions = peaks.flatten(1).topk(min(most, num_classes * height * width))
    cells = positions % (height * width)
    sides_x, sides_y, x, y = (
        output[:, num_classes:].flatten(2).gather(2, cells.unsqueeze(1).expand(-1, 4, -1)).unbind(1)
    )
    x, y = x + cells % width, y + cells // width
    half_x, half_y = (log_side.clamp(max=10).exp() / 2 for log_side in (sides_x, sides_y))
    corners = torch.stack([x - half_x, y - half_y, x + half_x, y + half_y], 2) * stride
    limits = corners.new_tensor([width, height, width, height]) * stride
    corners = corners.clamp_min(0).minimum(limits)
    return torch.cat([(positions // (height * width)).to(corners)[..., None], corners, scores[..., None]], 2)
