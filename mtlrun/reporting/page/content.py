"""What the figures of a page draw: the runs behind each row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mtlrun.reporting.model import Cell, Row, Section, TaskColumn
from mtlrun.reporting.series import Series
from mtlrun.runs.reader import Run

_SHOWN_AT_FIRST = 8
COLOURS = 8
"""Colours of the page's style sheet, in turn; dashes change from row to row."""


@dataclass(frozen=True)
class PageRow:
    """A row of the table and its runs; no runs for results that came from another tool's table."""

    number: int
    row: Row
    shown: bool

    @cached_property
    def runs(self) -> list[Run]:
        """In the order of the seeds."""
        return [Run(folder) for folder in self.row.folders if Path(folder).is_dir()]

    @cached_property
    def series(self) -> list[Series]:
        """Of the same runs."""
        return [Series(run) for run in self.runs]

    @property
    def label(self) -> str:
        """What sets the row apart."""
        return self.row.label

    @property
    def colour(self) -> int:
        """Place in the palette."""
        return (self.number - 1) % COLOURS

    def judged(self, tasks: Sequence[TaskColumn]) -> list[tuple[TaskColumn, Cell]]:
        """The tasks that are better or worse than single-task training."""
        return [(column, cell) for column, cell in zip(tasks, self.row.cells) if cell.verdict in ("better", "worse")]

    @property
    def undecided(self) -> int:
        """In how many tasks it is neither."""
        return sum(cell.verdict == "undecided" for cell in self.row.cells)


def page_rows(section: Section) -> list[PageRow]:
    """The rows in the order of the table; of many only the baseline and the best are drawn at first."""
    first = set(_best_first(section.rows)[:_SHOWN_AT_FIRST])
    return [PageRow(place + 1, row, place in first) for place, row in enumerate(section.rows)]


def _best_first(rows: Sequence[Row]) -> list[int]:
    return sorted(range(len(rows)), key=lambda place: (not rows[place].is_baseline, _rank(rows[place])))


def _rank(row: Row) -> float:
    return row.rank if row.rank is not None else float("inf")
