"""Any two numbers of the rows against each other, with the Pareto front of those that no other row beats in both."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import Any

from markupsafe import Markup

from mtlrun.reporting.gains import MEASURES, Measure
from mtlrun.reporting.grid import grid
from mtlrun.reporting.model import Section
from mtlrun.reporting.page.content import PageRow
from mtlrun.reporting.page.svg import tag, tick_texts, ticks
from mtlrun.reporting.settings import effective_config

WIDTH, HEIGHT = 440, 330
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 46
"""Of the picture and of its margins; page.js moves the points within the same ones."""


@dataclass(frozen=True)
class Axis:
    """A number that every row may have.

    at: [row] place from 0 to 1; None where a row has no value. ticks: places and texts. texts: [row] values in words.
    """

    label: str
    higher: bool
    at: Sequence[float | None]
    ticks: Sequence[tuple[float, str]]
    texts: Sequence[str]
    is_task: bool = False

    def payload(self) -> dict[str, Any]:
        """For the script, which moves the points when another axis is chosen."""
        ticks = [[round(place, 4), text] for place, text in self.ticks]
        at = [None if place is None else round(place, 4) for place in self.at]
        return {"label": self.label, "higher": self.higher, "at": at, "ticks": ticks, "texts": self.texts}


def axes(section: Section, rows: Sequence[PageRow], measure: Measure) -> list[Axis]:
    """Each task, the measure, time per step, time and memory, as far as any row has them."""
    found = [*_from_table(section, measure)]
    times = [_seconds_per_step(row) for row in rows]
    if any(times):
        words = [f"{1000 * time:.3g} ms" if time else "-" for time in times]
        found.append(_axis("ms per step ↓", False, [1000 * time if time else None for time in times], words))
    return found


def _from_table(section: Section, measure: Measure) -> Iterator[Axis]:
    tasks = {column.task: column.higher for column in section.tasks}
    for column in grid(section, measure):
        if column.kind not in ("score", "delta", "cost"):
            continue
        higher = tasks.get(column.heading, False) if column.kind == "score" else "higher" in MEASURES[measure]
        higher = higher and column.kind != "cost"
        label = f"{column.heading} {column.unit or '↓'}"
        scale = 2.0**-30 if column.heading == "memory" else 1.0
        values = [None if cell.number is None else scale * cell.number for cell in column.cells]
        unit = {"time": " s", "memory": " GiB"}.get(column.heading, "") if column.kind == "cost" else ""
        yield _axis(label + unit, higher, values, [cell.line() for cell in column.cells], column.kind == "score")


def _axis(
    label: str, higher: bool, values: Sequence[float | None], texts: Sequence[str], is_task: bool = False
) -> Axis:
    known = [value for value in values if value is not None and isfinite(value)]
    low, high = min(known), max(known)
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - margin, high + margin
    marks = ticks(low, high, 5)
    at = [None if value is None else (value - low) / (high - low) for value in values]
    places = [((mark - low) / (high - low), text) for mark, text in zip(marks, tick_texts(marks))]
    return Axis(label, higher, at, places, texts, is_task)


def front(x: Axis, y: Axis, among: Collection[int] | None = None) -> list[int]:
    """The rows that no other one beats in one without losing in the other, from left to right.

    Args:
        among: only these rows; None for all.
    """
    points = [
        (a, b, place)
        for place, (a, b) in enumerate(zip(x.at, y.at))
        if a is not None and b is not None and (among is None or place in among)
    ]
    upwards = [(a if x.higher else -a, b if y.higher else -b, place) for a, b, place in points]
    kept = [
        place
        for a, b, place in upwards
        if not any(c >= a and d >= b and (c > a or d > b) for c, d, _ in upwards)
    ]  # fmt: skip
    return sorted(kept, key=lambda place: x.at[place] or 0.0)


def picture(x: Axis, y: Axis, rows: Sequence[PageRow], name: str, weighted: Collection[int] = ()) -> Markup:
    """The points with their numbers; squares are single-task training. weighted: the rows with fixed weights."""
    parts = [
        tag("g", {"class": "ticks"}, *_ticks(x, y)),
        tag("path", {"class": "front", "d": _front_path(x, y)}),
        tag("path", {"class": "weighted", "d": _front_path(x, y, weighted)}),
        *(_point(row, x, y) for row in rows),
        tag("text", {"class": "x-label", "x": WIDTH - RIGHT, "y": HEIGHT - 6}, x.label),
        tag("text", {"class": "y-label", "x": 4, "y": -6}, y.label),
    ]
    view = f"0 -20 {WIDTH} {HEIGHT + 20}"
    return tag("svg", {"viewBox": view, "role": "img", "class": "scatter", "aria-label": name}, *parts)


def across(place: float) -> float:
    """Position of a place on the x axis."""
    return LEFT + place * (WIDTH - LEFT - RIGHT)


def up(place: float) -> float:
    """Position of a place on the y axis."""
    return HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM)


def _ticks(x: Axis, y: Axis) -> Iterator[Markup]:
    for place, text in x.ticks:
        yield tag("path", {"d": f"M{across(place):.1f} {TOP}V{HEIGHT - BOTTOM}"})
        yield tag("text", {"x": round(across(place), 1), "y": HEIGHT - BOTTOM + 16, "class": "x"}, text)
    for place, text in y.ticks:
        yield tag("path", {"d": f"M{LEFT} {up(place):.1f}H{WIDTH - RIGHT}"})
        yield tag("text", {"x": LEFT - 6, "y": round(up(place) + 4, 1), "class": "y"}, text)


def _front_path(x: Axis, y: Axis, among: Collection[int] | None = None) -> str:
    points = [(across(x.at[row] or 0.0), up(y.at[row] or 0.0)) for row in front(x, y, among)]
    return "".join(f"{'L' if place else 'M'}{a:.1f} {b:.1f}" for place, (a, b) in enumerate(points))


def _point(row: PageRow, x: Axis, y: Axis) -> Markup:
    place = row.number - 1
    a, b = x.at[place], y.at[place]
    known = a is not None and b is not None
    where = f"translate({across(a or 0.0):.1f} {up(b or 0.0):.1f})"
    square = {"x": -9, "y": -9, "width": 18, "height": 18, "rx": 2}
    shape = tag("rect", square) if row.row.is_baseline else tag("circle", {"r": 9.5})
    words = f"{row.label}: {x.label} {x.texts[place]}, {y.label} {y.texts[place]}"
    attributes: dict[str, object] = {"class": f"point f{row.colour}", "transform": where, "data-row": place}
    return tag(
        "g",
        attributes if known else {**attributes, "visibility": "hidden"},
        shape,
        tag("text", {"y": 4}, str(row.number)),
        tag("title", {}, words),
    )


def _seconds_per_step(row: PageRow) -> float | None:
    """Of training alone, mean over the runs: batch size over rows per second; else the whole time over the steps."""
    found = []
    for run, series in zip(row.runs, row.series):
        rate, steps, wall = (series.summary.get(key) for key in ("rows_per_second", "steps", "wall_seconds"))
        batch = (effective_config(run).get("trainer") or {}).get("batch_size")
        if rate and batch:
            found.append(batch / rate)
        elif steps and wall:
            found.append(wall / steps)
    return fmean(found) if found else None
