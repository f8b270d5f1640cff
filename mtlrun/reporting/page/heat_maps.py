"""Mean cosines between the tasks' gradients, a heat map for each row that measured them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite

import numpy as np
from markupsafe import Markup

from mtlrun.reporting.page.content import PageRow
from mtlrun.reporting.page.svg import tag
from mtlrun.reporting.series import Array
from mtlrun.reporting.text import pair_name

_MOST_CELLS = 8000  # in all maps of a section: about 150 KB
_MOST_NUMBERED = 8  # tasks up to which the cells say their numbers
_MOST_NAMED = 20
_SHADES = 8  # on either side of zero
_SIDE = 40
_PAIRS_TOLD = 2


@dataclass(frozen=True)
class HeatMap:
    """The picture of a row and what it says in words."""

    row: PageRow
    picture: Markup
    words: str


def heat_maps(rows: Sequence[PageRow]) -> tuple[list[HeatMap], int]:
    """The maps, and how many were left out for the size of the page."""
    measured = [(row, names, mean) for row in rows for names, mean in _mean_cosines(row)]
    kept: list[HeatMap] = []
    cells = 0
    for row, names, mean in measured:
        cells += len(names) ** 2
        if cells <= _MOST_CELLS or not kept:
            once = "measured at one step only; " if all(one.cosines.measured_once for one in row.series) else ""
            kept.append(HeatMap(row, heat_picture(names, mean), once + _words(names, mean)))
    return kept, len(measured) - len(kept)


def _mean_cosines(row: PageRow) -> Iterator[tuple[list[str], Array]]:
    """Names and [T, T], over steps and seeds; nothing where no run measured any."""
    found = [(series.tasks, series.cosines.mean()) for series in row.series if len(series.cosines.steps)]
    if not found or len(found[0][0]) < 2:
        return
    names = found[0][0]
    alike = np.stack([mean for tasks, mean in found if tasks == names])
    known = np.isfinite(alike)
    total = np.where(known, alike, 0.0).sum(0)
    yield names, np.divide(total, known.sum(0), out=np.full(total.shape, np.nan), where=known.any(0))


def heat_picture(names: Sequence[str], mean: Array, largest: float = 1.0) -> Markup:
    """A square for each pair; one of this size has the full colour. The diagonal is left blank.

    Args:
        names: of the tasks [T].
        mean: [T, T]; NaN where there is nothing to show.
        largest: the value of the full colour.
    """
    count = len(names)
    margin = _SIDE * (3 if count <= _MOST_NAMED else 0)
    size = count * _SIDE
    view = f"{-margin} {-_SIDE if margin else 0} {size + margin} {size + (_SIDE if margin else 0)}"
    shares = mean / largest
    numbers = _numbers(mean, shares) if count <= _MOST_NUMBERED else ()
    parts = [*_cells(shares), *numbers, *(_labels(names) if margin else ())]
    return tag("svg", {"viewBox": view, "role": "img", "class": "heat", "aria-label": _words(names, mean)}, *parts)


def _cells(shares: Array) -> Iterator[Markup]:
    """One path per shade: many cells cost little."""
    squares: dict[str, list[str]] = {}
    for (line, column), value in np.ndenumerate(shares):
        shade = "h0" if line == column else _shade(value)
        squares.setdefault(shade, []).append(f"M{column * _SIDE} {line * _SIDE}h{_SIDE}v{_SIDE}h-{_SIDE}z")
    for shade, paths in sorted(squares.items()):
        yield tag("path", {"class": shade, "d": "".join(paths)})


def _shade(value: float) -> str:
    """Class of a cell: h0 around zero, p1 to p8 for like directions, m1 to m8 for opposed ones."""
    if not isfinite(value):
        return "none"
    step = min(_SHADES, round(abs(value) * _SHADES))
    return "h0" if step == 0 else f"{'p' if value > 0 else 'm'}{step}"


def _numbers(mean: Array, shares: Array) -> Iterator[Markup]:
    for (line, column), value in np.ndenumerate(mean):
        if isfinite(value) and line != column:
            place = {"x": (column + 0.5) * _SIDE, "y": (line + 0.62) * _SIDE}
            strong = "strong" if abs(shares[line, column]) > 0.55 else "weak"
            yield tag("text", {**place, "class": strong}, f"{value:+.2f}".replace("0.", ".", 1))


def _labels(names: Sequence[str]) -> Iterator[Markup]:
    """Names beside the lines; numbers above the columns."""
    for place, name in enumerate(names):
        text = name if len(name) <= 13 else f"{name[:6]}…{name[-6:]}"
        yield tag(
            "text",
            {"x": -8, "y": (place + 0.62) * _SIDE, "class": "name"},
            f"{text} {place + 1}",
            tag("title", {}, name),
        )
        yield tag("text", {"x": (place + 0.5) * _SIDE, "y": -10, "class": "weak"}, str(place + 1))


def _words(names: Sequence[str], mean: Array) -> str:
    """The most opposed and the most aligned pairs."""
    pairs = sorted(
        (float(mean[a, b]), f"{pair_name(names[a], names[b])} {mean[a, b]:+.2f}")
        for a, b in combinations(range(len(names)), 2)
        if isfinite(mean[a, b])
    )
    if len(pairs) <= 2 * _PAIRS_TOLD:
        return "; ".join(text for _, text in pairs)
    low, high = ("; ".join(text for _, text in part) for part in (pairs[:_PAIRS_TOLD], pairs[: -1 - _PAIRS_TOLD : -1]))
    return f"lowest: {low}; highest: {high}"
