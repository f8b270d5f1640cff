"""How labels and predictions look: colours, text, boxes, overlays. Needs only the given axes' methods."""

from __future__ import annotations

from textwrap import fill, shorten
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEUTRAL, RIGHT, WRONG = "#333333", "#1a7f37", "#c62828"

# Okabe & Ito's colour-blind-safe set without black, bright ones first: they lie over photographs.
PALETTE = ("#ffb000", "#56b4e9", "#00c78c", "#ff6e9c", "#f0e442", "#d55e00", "#0072b2")

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""How bright red, green and blue are (ITU-R BT.601)."""


def colour(index: int) -> str:
    """The colour of the class with this index; they repeat after seven."""
    return PALETTE[index % len(PALETTE)]


def verdict(right: bool) -> str:
    """Green for right, red for wrong."""
    return RIGHT if right else WRONG


def numbers(value: Tensor, most: int = 4) -> str:
    """Up to `most` numbers with three significant digits, e.g. '1.25, 30' or '1, 2, 3, 4, ...'."""
    shown = [f"{number:.3g}" for number in value.flatten()[:most].tolist()]
    return ", ".join(shown) + (", ..." if value.numel() > most else "")


def write_text(axes: Axes, text: str, colour: str) -> None:
    """Text in the middle of empty axes: one line, or two small ones for a long text."""
    short = len(text) <= 22
    shown = text if short else fill(shorten(text, 64, placeholder=" ..."), 34)
    size = 9.0 if short else 6.5
    axes.text(0.5, 0.5, shown, color=colour, fontsize=size, ha="center", va="center", transform=axes.transAxes)


def draw_box(axes: Axes, corners: list[float], colour: str, dashed: bool = False) -> None:
    """A rectangle from (x1, y1) to (x2, y2), in pixels of the picture whose first pixel spans 0 to 1."""
    x1, y1, x2, y2 = (corner - 0.5 for corner in corners)  # imshow puts the first pixel's centre at 0
    outline = ([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1])
    axes.plot(*outline, color="black", linewidth=2.2, alpha=0.6)
    axes.plot(*outline, color=colour, linewidth=1.2, linestyle="--" if dashed else "-")


def draw_classes(axes: Axes, classes: Tensor, colours: dict[int, str], opacity: float = 0.65) -> None:
    """Paint the pixels [H, W] of each class that has a colour; the others stay clear.

    The picture below paint is grey: a mixture of two colours would be none of the legend.
    """
    below = axes.images[0].get_array() if axes.images else None
    indices = classes.cpu().numpy()
    if below is not None:  # the finer of the two decides, by rows and by columns
        height, width = (max(sides) for sides in zip(indices.shape, below.shape[:2]))
        indices, below = _stretched(indices, height, width), _stretched(np.asarray(below), height, width)
    overlay = np.zeros((*indices.shape, 4))
    for index, name in colours.items():
        red_green_blue = np.array([int(name[start : start + 2], 16) / 255 for start in (1, 3, 5)])
        overlay[indices == index] = (*red_green_blue, opacity)
    if below is not None:
        grey = below if below.ndim == 2 else below @ LUMINANCE
        painted = overlay[..., 3] > 0
        overlay[..., :3] = opacity * overlay[..., :3] + (1 - opacity) * grey[..., None]
        overlay[..., 3] = painted
    axes.imshow(overlay, interpolation="nearest")


def _stretched(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """To [height, width, ...] by the nearest pixel."""
    rows = np.arange(height) * pixels.shape[0] // height
    columns = np.arange(width) * pixels.shape[1] // width
    return pixels[rows[:, None], columns]
