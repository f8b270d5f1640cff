"""How every figure looks. Figures are made without pyplot, so that drawing leaves no global state behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

DPI = 150
NAMED_LINES = 10  # more lines than this in one panel cannot be told apart
Dash = Literal["-", "--", ":", "none"] | tuple[float, Sequence[float]]
INK, FAINT = "#222222", "#8a8a8a"

# Okabe and Ito's palette for colour-blind readers, without its yellow, which vanishes on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES: tuple[Dash, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (8, 3)),
    (0, (3, 3)),
)


ONCE = "measured at one step only"
"""Of cosines, and of what is drawn from them."""
_LETTERS_PER_INCH = 17  # of a footnote


@dataclass(frozen=True)
class Look:
    """Colour and dash pattern of a line: together unique for 42 tasks."""

    colour: str
    dash: Dash


def look(index: int) -> Look:
    """The look of the task at this index in the run's order, the same in every figure."""
    return Look(_COLOURS[index % len(_COLOURS)], _DASHES[index // len(_COLOURS) % len(_DASHES)])


def looks(names: Sequence[str]) -> dict[str, Look]:
    """The look of each name."""
    return {name: look(index) for index, name in enumerate(names)}


def short(name: str, letters: int = 26) -> str:
    """A name that fits a title or a legend: cut in the middle, since names tend to differ at either end."""
    if len(name) <= letters:
        return name
    head = (letters - 1) // 2
    return f"{name[:head]}…{name[len(name) - (letters - 1 - head) :]}"


def figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, whose parts make room for each other."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def headline(axes: Axes, title: str, note: str = "") -> None:
    """Title above the axes, flush left, and a smaller line under it."""
    axes.set_title(title, fontsize=11, fontweight="bold", color=INK, loc="left", pad=18 if note else 6)
    if note:
        axes.annotate(note, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=8, color=INK)


def footnote(drawing: Figure, text: str) -> None:
    """Small lines below a figure, as wide as it is."""
    letters = int(drawing.get_figwidth() * _LETTERS_PER_INCH)
    drawing.supxlabel("\n".join(wrap(text, letters)), x=0.01, ha="left", fontsize=7, color=INK)


def clean(axes: Axes, size: float = 8) -> None:
    """Light grid, no box, few ticks; `size` in points."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(labelsize=size, color=FAINT, labelcolor=INK, length=2.5, which="both")
    axes.grid(True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def whole_numbers(axes: Axes, ticks: int = 6) -> None:
    """Ticks of the x axis at whole steps or epochs only."""
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, min_n_ticks=1))


def log_if_wide(axes: Axes, *values: NDArray[np.float64]) -> None:
    """Logarithmic y axis where the typical values (5th to 95th percentile) span more than a factor of 20."""
    found = np.concatenate([part[np.isfinite(part)] for part in values] or [np.empty(0)])
    if len(found) and found.min() > 0 and np.percentile(found, 95) > 20 * np.percentile(found, 5):
        axes.set_yscale("log")
