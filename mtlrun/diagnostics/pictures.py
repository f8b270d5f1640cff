"""Sample rows as one picture: the input with every task's label and prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from torch import Tensor

from mtlrun.atomic import complete_file
from mtlrun.tasks.base import Task
from mtlrun.tasks.drawing import NEUTRAL, write_text

COLUMN_INCHES, LEGEND_INCHES, STRIP_INCHES, GAP_INCHES = 2.0, 1.5, 0.24, 0.06
LINE_INCHES = 0.1
LEGEND_LINES = 5
_MARGINS = {"left": 0.0, "right": 1.0, "bottom": 0.0, "top": 1.0, "wspace": 0.03, "hspace": 0.06}


@dataclass(frozen=True, slots=True)
class TaskPanel:
    """What one task says about the rows of a picture.

    targets: [n, ...].
    outputs: [n, ...], of the task's head.
    labelled: bool [n], None if every row is. Of the others neither target nor output is looked at: heads run
        on labelled rows only.
    """

    task: Task
    targets: Tensor
    outputs: Tensor
    labelled: Tensor | None = None


@dataclass(frozen=True, slots=True)
class _Band:
    """A band of axes across the picture: the plain input, or one task's labels or predictions."""

    title: str
    subtitle: str
    on_picture: bool
    panel: TaskPanel | None = None
    predictions: Tensor | None = None


def draw_samples(path: Path, inputs: Tensor, panels: Sequence[TaskPanel], texts: Sequence[str] = ()) -> None:
    """Write a PNG with one column per row of data and, below each other, each task's label and prediction.

    Kinds that draw on the picture get it as their background; the others get a line of text, green if the
    prediction is right and red if it is wrong.

    Args:
        path: of the PNG; its folder is made. It is replaced in one go, so that it can be viewed at any time.
        inputs: [n, C, H, W] as the source serves them, uint8 or float; inputs of other shapes are not shown.
        panels: of the tasks.
        texts: the rows in words, if they are no images; each of one line or more.
    """
    images = _images(inputs)
    bands = _bands(panels, with_inputs=bool(images or texts))
    aspect = images[0].shape[0] / images[0].shape[1] if images else _height(texts) / COLUMN_INCHES
    _draw(path, bands, aspect, len(inputs), lambda axes, band, row: _draw_row(axes, band, row, images, texts))


def draw_predictions(
    path: Path, inputs: Tensor, said: Sequence[tuple[Task, Tensor]], size: tuple[int, int] | None = None
) -> None:
    """The same for rows without labels.

    Args:
        path: of the PNG.
        inputs: [n, C, H, W], raw.
        said: per task its predictions [n, ...].
        size: height and width of the pictures that predictions are in pixels of; None for those of the inputs.
    """
    images = _images(inputs)
    ordered = sorted(said, key=lambda pair: not pair[0].on_picture)
    plain = [_Band("input", "", on_picture=True)] if not any(task.on_picture for task, _ in said) else []
    empty = torch.empty(0)
    bands = [*plain, *(_Band(t.name, "", t.on_picture, TaskPanel(t, empty, empty), found) for t, found in ordered)]
    aspect = images[0].shape[0] / images[0].shape[1]
    _draw(path, bands, aspect, len(inputs), lambda axes, band, row: _draw_prediction(axes, band, row, images, size))


def _draw(
    path: Path, bands: Sequence[_Band], aspect: float, columns: int, cell: Callable[[Axes, _Band, int], None]
) -> None:
    """Lay the bands out, have each cell drawn, and write the picture."""
    heights = [COLUMN_INCHES * aspect if band.on_picture else STRIP_INCHES for band in bands]
    widths = [LEGEND_INCHES] + [COLUMN_INCHES] * columns
    figure = Figure(figsize=(sum(widths) + GAP_INCHES * len(widths), sum(heights) + GAP_INCHES * len(heights)), dpi=150)
    grid = figure.add_gridspec(len(bands), len(widths), height_ratios=heights, width_ratios=widths, **_MARGINS)
    for position, band in enumerate(bands):
        _draw_title(figure, grid[position, 0].get_position(figure), band)
        for row in range(columns):
            cell(figure.add_subplot(grid[position, row + 1]), band, row)
    _write(figure, path)


def _draw_row(axes: Axes, band: _Band, row: int, images: Sequence[np.ndarray], texts: Sequence[str]) -> None:
    if texts and band.panel is None:
        _write_lines(axes, texts[row])
    _draw_cell(axes, band, row, images[row] if images and band.on_picture else None)


def _draw_prediction(
    axes: Axes, band: _Band, row: int, images: Sequence[np.ndarray], size: tuple[int, int] | None
) -> None:
    image = images[row] if band.on_picture else None
    _frame(axes, image)
    if band.panel is not None and band.predictions is not None:
        said = band.predictions[row]
        band.panel.task.draw(axes, said, *([said] if band.on_picture else []))
    if image is not None:
        _keep_frame(axes, size or image.shape[:2])


def _height(texts: Sequence[str]) -> float:
    """Of the longest text, in inches."""
    return LINE_INCHES * (1 + max((text.count("\n") for text in texts), default=0))


def _write_lines(axes: Axes, text: str) -> None:
    """A text of several lines from the top left corner on."""
    axes.text(0, 0.97, text, color=NEUTRAL, fontsize=5, family="monospace", va="top", transform=axes.transAxes)


def _images(inputs: Tensor) -> list[np.ndarray]:
    """[H, W, 3] or [H, W] in 0 to 1 for each row; none if the inputs are no images."""
    if inputs.dim() != 4:
        return []
    pictures = inputs.detach().cpu().float().numpy()
    if inputs.dtype == torch.uint8:
        pictures = pictures / 255
    elif pictures.min() < 0 or pictures.max() > 1:
        low, high = pictures.min(), pictures.max()
        pictures = (pictures - low) / max(high - low, 1e-12)
    return [picture.transpose(1, 2, 0) if len(picture) == 3 else picture[0] for picture in pictures]


def _bands(panels: Sequence[TaskPanel], with_inputs: bool) -> list[_Band]:
    """Kinds that draw on the picture first; the plain input on top where there is none of them."""
    ordered = sorted(panels, key=lambda panel: not panel.task.on_picture)
    plain = with_inputs and not any(panel.task.on_picture for panel in panels)
    bands = [_Band("input", "", on_picture=True)] if plain else []
    for panel in ordered:
        name, on_picture = panel.task.name, panel.task.on_picture
        predictions = panel.task.predict(panel.outputs.detach().cpu())
        bands.append(_Band(name, "label", on_picture, panel))
        bands.append(_Band("" if not on_picture else name, "prediction", on_picture, panel, predictions))
    return bands


def _draw_title(figure: Figure, cell: Bbox, band: _Band) -> None:
    """Name of the band, and the colours of its classes where there is room for them."""

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(cell.x0 + x * cell.width, cell.y0 + y * cell.height, text, **style)

    high, anchor = (0.92, "top") if band.on_picture else (0.5, "center")
    write(0.04, high, band.title, fontsize=9, weight="bold", color=NEUTRAL, va=anchor)
    write(0.96, high, band.subtitle, fontsize=8, color="#777777", va=anchor, ha="right")
    legend = band.panel.task.legend() if band.panel and band.on_picture else {}
    for line, (name, shade) in enumerate([*legend.items()][:LEGEND_LINES]):
        height = 0.70 - 0.13 * line
        write(0.06, height, "\u25a0", fontsize=9, color=shade, va="top")
        write(0.18, height, name, fontsize=8, color=NEUTRAL, va="top")


def _draw_cell(axes: Axes, band: _Band, row: int, image: np.ndarray | None) -> None:
    _frame(axes, image)
    if band.panel is None:
        return
    panel = band.panel
    if panel.labelled is not None and not panel.labelled[row]:
        write_text(axes, "no label" if band.predictions is None else "", NEUTRAL)
    else:
        panel.task.draw(axes, panel.targets[row].cpu(), *([] if band.predictions is None else [band.predictions[row]]))
    if image is not None:
        _keep_frame(axes, image.shape[:2])


def _frame(axes: Axes, image: np.ndarray | None) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if image is not None:
        axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _keep_frame(axes: Axes, size: tuple[int, ...]) -> None:
    """What a task drew must not change the frame, and what it painted covers the picture, of whatever size it is."""
    height, width = size
    for painted in axes.images:
        rows, columns = painted.get_size()
        if tuple(painted.get_extent()) == (-0.5, columns - 0.5, rows - 0.5, -0.5):  # nobody placed it elsewhere
            painted.set_extent((-0.5, width - 0.5, height - 0.5, -0.5))
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _write(figure: Figure, path: Path) -> None:
    with complete_file(path) as file:
        figure.savefig(file, format="png", facecolor="white")
