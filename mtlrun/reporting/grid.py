"""The table of a section as cells of text, the same for every rendering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mtlrun.reporting.gains import MEASURES, Measure
from mtlrun.reporting.model import Cell, PublishedCell, Row, Section, TaskColumn, Verdict
from mtlrun.reporting.settings import short_key, spelled
from mtlrun.reporting.text import arrow, decimals, duration, fixed, memory

MOST_TASK_COLUMNS = 8
"""More tasks than this become rows where the width of the page is not known."""

WEIGHTS = "balancer.task_weights"
"""The setting that holds fixed weights by task."""

Kind = Literal["setting", "score", "delta", "rank", "count", "cost"]


@dataclass(frozen=True)
class GridCell:
    """A value and what belongs to it: its deviation or interval.

    number: what the text says, to sort by; None for words.
    verdict: against single-task training, of scores and of the measure.
    """

    text: str
    spread: str = ""
    bold: bool = False
    number: float | None = None
    verdict: Verdict | None = None

    def line(self) -> str:
        """Both on one line."""
        return f"{self.text} {self.spread}".rstrip()


@dataclass(frozen=True)
class GridColumn:
    """A heading over one cell per row. `heading` and `unit` may stand on lines of their own."""

    heading: str
    unit: str
    kind: Kind
    cells: tuple[GridCell, ...]


def grid(section: Section, measure: Measure) -> list[GridColumn]:
    """The columns in their order: what varies, each task, the measure, mean rank, seeds, time, memory.

    Columns that hold nothing are left out.
    """
    rows = section.rows
    columns = [
        *(_settings(key, rows) for key in section.columns if not _is_weight(key, section)),
        *_weights(section),
        *(_scores(section, index) for index in range(len(section.tasks))),
        _deltas(rows, measure),
        GridColumn("mean", "rank", "rank", tuple(GridCell(fixed(row.rank, 2), number=row.rank) for row in rows)),
        GridColumn("n", "", "count", tuple(GridCell(str(len(row.seeds)), number=len(row.seeds)) for row in rows)),
        GridColumn("time", "", "cost", tuple(GridCell(duration(row.seconds), number=row.seconds) for row in rows)),
        GridColumn("memory", "", "cost", tuple(GridCell(memory(row.memory), number=row.memory) for row in rows)),
    ]
    columns = [*_named(section), *(_with_published(column, section) for column in columns)]
    return [column for column in columns if column.kind == "setting" or any(cell.text != "-" for cell in column.cells)]


def weights_text(row: Row, section: Section) -> str:
    """The fixed weights of a row in the order of the tasks, such as 'left=0.5 right=1.5'; '' if it has none."""
    found = {column.task: row.settings.get(f"{WEIGHTS}.{column.task}") for column in section.tasks}
    return " ".join(f"{task}={spelled(value)}" for task, value in found.items() if value is not None)


def _weights(section: Section) -> Iterator[GridColumn]:
    """One column for the weights of all tasks together."""
    if any(_is_weight(key, section) for key in section.columns):
        cells = tuple(GridCell(weights_text(row, section) or "-") for row in section.rows)
        yield GridColumn(short_key(WEIGHTS), "", "setting", cells)


def _is_weight(key: str, section: Section) -> bool:
    return any(key == f"{WEIGHTS}.{column.task}" for column in section.tasks)


def _named(section: Section) -> list[GridColumn]:
    """A column that says whose each row is, where a paper's rows stand below ours."""
    if not section.published:
        return []
    names = [*("ours" for _ in section.rows), *(row.label for row in section.published)]
    return [GridColumn("row", "", "setting", tuple(map(GridCell, names)))]


def _with_published(column: GridColumn, section: Section) -> GridColumn:
    """The column with a cell for each row of a paper: of scores, the measure and n alone."""
    place = next((at for at, task in enumerate(section.tasks) if _is_of(column, task)), None)
    cells = []
    for row in section.published:
        cell = row.delta if column.kind == "delta" else None if place is None else row.cells[place]
        known = str(row.seeds) if column.kind == "count" and row.seeds else "-"
        shown = GridCell(known) if cell is None else _printed(cell)
        cells.append(GridCell("") if column.kind == "setting" else shown)
    return replace(column, cells=(*column.cells, *cells))


def _is_of(column: GridColumn, task: TaskColumn) -> bool:
    return column.kind == "score" and column.heading == task.task


def _printed(cell: PublishedCell) -> GridCell:
    return GridCell(cell.text, f"±{cell.spread}" if cell.spread else "", number=cell.number)


def _settings(key: str, rows: Sequence[Row]) -> GridColumn:
    cells = [
        GridCell(spelled(row.settings[key]) + (" (edge)" if key in row.edges else "") if key in row.settings else "-")
        for row in rows
    ]
    return GridColumn(short_key(key), "", "setting", tuple(cells))


def _scores(section: Section, index: int) -> GridColumn:
    cells = [row.cells[index] for row in section.rows]
    digits = decimals([cell.deviation for cell in cells], [cell.mean for cell in cells])
    column = section.tasks[index]
    unit = f"{column.metric} {arrow(column.higher)}"
    return GridColumn(column.task, unit, "score", tuple(_score(cell, digits) for cell in cells))


def _score(cell: Cell, digits: int) -> GridCell:
    spread = "" if cell.deviation is None else f"±{fixed(cell.deviation, digits)}"
    return GridCell(fixed(cell.mean, digits), spread, cell.bold, cell.mean, cell.verdict)


def _deltas(rows: Sequence[Row], measure: Measure) -> GridColumn:
    name, _, direction = MEASURES[measure].partition(" (")
    half = [row.delta.reach for row in rows if row.delta]
    digits = max(1, decimals(half))
    cells = tuple(_delta(row, digits) for row in rows)
    return GridColumn(name, arrow(direction.startswith("higher")), "delta", cells)


def _delta(row: Row, digits: int) -> GridCell:
    if row.delta is None:
        return GridCell("-")
    low, high = row.delta.low, row.delta.high
    spread = "" if low is None or high is None else f"[{low:+.{digits}f}, {high:+.{digits}f}]"
    return GridCell(f"{row.delta.mean:+.{digits}f}", spread, row.delta_bold, row.delta.mean, row.verdict)


def tasks_as_rows(columns: Sequence[GridColumn]) -> list[GridColumn]:
    """The same cells with a column for each configuration: for more tasks than fit beside each other."""
    named = [column for column in columns if column.kind == "setting"]
    kept = [column for column in columns if column.kind != "setting"]
    names = tuple(GridCell(f"{column.heading} {column.unit}".strip()) for column in kept)
    first = GridColumn("", ", ".join(column.heading for column in named), "setting", names)
    count = len(columns[0].cells)
    rows = [
        GridColumn(
            "",
            "\n".join(filter(None, (column.cells[row].text for column in named))),
            "score",
            tuple(c.cells[row] for c in kept),
        )
        for row in range(count)
    ]
    return [first, *rows]
