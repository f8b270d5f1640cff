"""Forest plots: each row's difference to single-task training with its interval, on a line of the page's own table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mtlrun.reporting.gains import MEASURES, Measure
from mtlrun.reporting.model import Section, Verdict
from mtlrun.reporting.page.content import PageRow
from mtlrun.reporting.page.svg import tag, tick_texts, ticks
from mtlrun.reporting.paired import Estimate
from mtlrun.reporting.text import with_interval

_MOST_LINES = 400  # in all forests of a section: about 150 KB


@dataclass(frozen=True)
class ForestLine:
    """A row's estimate as a picture and in words."""

    row: PageRow
    picture: Markup
    words: str
    verdict: Verdict | None


@dataclass(frozen=True)
class Forest:
    """The rows in one quantity. axis: [(place in %, text)]."""

    title: str
    lines: Sequence[ForestLine]
    axis: Sequence[tuple[float, str]]


def forests(section: Section, rows: Sequence[PageRow], measure: Measure) -> list[Forest]:
    """The measure first, then each task; none without single-task runs, and only as many as the page has room for."""
    found = []
    whole = [(row, row.row.delta, row.row.verdict) for row in rows if row.row.delta]
    found.append((MEASURES[measure], whole))
    for place, column in enumerate(section.tasks):
        cells = [(row, row.row.cells[place]) for row in rows]
        title = f"{column.task}: gain in {column.metric} (higher is better)"
        found.append((title, [(row, cell.gain, cell.verdict) for row, cell in cells if cell.gain]))
    room = max(1, _MOST_LINES // max(1, len(whole)))
    return [_forest(title, [*_with_estimates(entries)]) for title, entries in found[:room] if entries]


_Entry = tuple[PageRow, Estimate, Verdict | None]


def _with_estimates(entries: Sequence[tuple[PageRow, Estimate | None, Verdict | None]]) -> Iterator[_Entry]:
    for row, estimate, verdict in entries:
        if estimate is not None:
            yield row, estimate, verdict


def _forest(title: str, entries: Sequence[_Entry]) -> Forest:
    ends = [
        end for _, estimate, _ in entries for end in (estimate.mean, estimate.low, estimate.high) if end is not None
    ]
    low, high = min(0.0, *ends), max(0.0, *ends)
    margin = 0.04 * (high - low) or 1.0
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return 100 * (value - low) / (high - low)

    marks = ticks(low, high, 4)
    lines = [
        ForestLine(
            row,
            _bar(estimate, row, place(0.0), [place(value) for value in _ends(estimate)]),
            with_interval(estimate),
            v,
        )
        for row, estimate, v in entries
    ]
    return Forest(title, lines, [(place(mark), text) for mark, text in zip(marks, tick_texts(marks))])


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    """Low end, mean, high end."""
    low = estimate.mean if estimate.low is None else estimate.low
    return low, estimate.mean, estimate.mean if estimate.high is None else estimate.high


def _bar(estimate: Estimate, row: PageRow, zero: float, places: Sequence[float]) -> Markup:
    """Stretched to the width of its cell; strokes keep their own width, so the point stays round."""
    low, mean, high = places
    return tag(
        "svg",
        {"viewBox": "0 0 100 10", "preserveAspectRatio": "none", "class": "forest", "aria-hidden": "true"},
        tag("path", {"class": "zero", "d": f"M{zero:.2f} 0V10"}),
        tag("path", {"class": f"interval s{row.colour}", "d": f"M{low:.2f} 5H{high:.2f}"}),
        tag("path", {"class": f"mean s{row.colour}", "d": f"M{mean:.2f} 5h.01"}),
    )
