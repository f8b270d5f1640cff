"""A report, or runs, as a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from mtlrun.reporting.entries import BY_WORDS
from mtlrun.reporting.grid import MOST_TASK_COLUMNS, GridCell, GridColumn, grid, tasks_as_rows
from mtlrun.reporting.many_lines import many_lines
from mtlrun.reporting.model import Report, Section


def as_html(report: Report) -> str:
    """The tables with their verdicts and notes; nothing is fetched and nothing runs."""
    parts = [line for section in report.sections for line in _section(section, report)]
    for run in report.unfinished:
        parts.append(f"<p>Not counted: {escape(run.status)}: {escape(f'{run.label} {run.reason} {run.folder}')}</p>")
    return "\n".join(parts or ["<p>No finished run: nothing to average yet.</p>"])


def table(columns: Sequence[GridColumn], caption: str = "") -> Iterator[str]:
    """A plain HTML table of the cells."""
    yield f"<table><caption>{escape(caption)}</caption><thead><tr>"
    yield from (f'<th scope="col">{_lines(f"{column.heading} {column.unit}".strip())}</th>' for column in columns)
    yield "</tr></thead><tbody>"
    for cells in zip(*(column.cells for column in columns)):
        yield f"<tr>{''.join(map(_cell, cells))}</tr>"
    yield "</tbody></table>"


def _section(section: Section, report: Report) -> Iterator[str]:
    columns = grid(section, report.measure)
    shown = tasks_as_rows(columns) if len(section.tasks) > MOST_TASK_COLUMNS else columns
    yield from table(shown, f"{section.name}: test scores {BY_WORDS[report.by]}, mean ± deviation over seeds")
    yield f"<p><b>{escape(section.conclusion)}</b></p>"
    lines = (
        *section.verdicts,
        *many_lines(section),
        *section.notes,
        *section.beside,
        *(f"Doubt: {line}" for line in section.doubts),
    )
    yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
    yield "".join(f"<pre>{escape(command)}</pre>" for command in section.commands)


def _cell(cell: GridCell) -> str:
    text = f"<b>{escape(cell.text)}</b>" if cell.bold else escape(cell.text)
    return f"<td>{text}{f' <small>{escape(cell.spread)}</small>' if cell.spread else ''}</td>"


def _lines(text: str) -> str:
    return "<br>".join(map(escape, text.split("\n")))
