"""A report as GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape as escape_html

from mtlrun.reporting.entries import BY_WORDS
from mtlrun.reporting.grid import MOST_TASK_COLUMNS, GridCell, GridColumn, grid, tasks_as_rows
from mtlrun.reporting.many_lines import many_lines
from mtlrun.reporting.model import Report, Section
from mtlrun.reporting.scalarisation import front_grid, front_lines


def as_markdown(report: Report) -> str:
    """Each section's table with its verdicts, notes and commands."""
    lines = [line for section in report.sections for line in _section(section, report)]
    if report.unfinished:
        lines += ["### Not counted", ""]
        for run in report.unfinished:
            reason = f" ({escaped(run.reason)})" if run.reason else ""
            lines.append(f"- {run.status}: {escaped(run.label)}{reason}, {code(run.folder)}")
        lines.append("")
    if report.to_finish:
        lines += ["To finish what was stopped:", "", "```sh", *report.to_finish, "```", ""]
    return "\n".join(lines or ["No finished run: nothing to average yet.", ""])


def _section(section: Section, report: Report) -> Iterator[str]:
    yield from (f"### {escaped(section.name)}", "")
    common = f"; all: {code(' '.join(section.common))}" if section.common else ""
    yield from (f"Test scores {BY_WORDS[report.by]}, mean ± deviation over seeds{common}", "")
    columns = grid(section, report.measure)
    yield from table_lines(tasks_as_rows(columns) if len(section.tasks) > MOST_TASK_COLUMNS else columns)
    if section.front:
        yield from ("", *table_lines(front_grid(section)))
    yield from ("", f"**{escaped(section.conclusion)}**", "")
    yield from (f"- {escaped(line)}" for line in (*section.verdicts, *front_lines(section), *many_lines(section)))
    yield from ("", *(f"- {escaped(line)}" for line in section.notes), "")
    if section.beside:
        yield from (*(f"- {escaped(line)}" for line in section.beside), "")
    if section.doubts:
        yield from ("Doubts:", "", *(f"- {escaped(line)}" for line in section.doubts), "")
    if section.commands:
        yield from ("To go on:", "", "```sh", *section.commands, "```", "")
    yield "Folders:"
    yield ""
    yield from (f"- {escaped(row.label)}: {' '.join(map(code, row.folders))}" for row in section.rows)
    yield ""


def table_lines(columns: Sequence[GridColumn]) -> Iterator[str]:
    headings = [escaped(f"{column.heading} {column.unit}".replace("\n", ", ").strip()) for column in columns]
    yield f"| {' | '.join(headings)} |"
    yield f"| {' | '.join('---' if column.kind == 'setting' else '---:' for column in columns)} |"
    for cells in zip(*(column.cells for column in columns)):
        yield f"| {' | '.join(map(_cell, cells))} |"


def _cell(cell: GridCell) -> str:
    text = escaped(cell.text)
    return f"{f'**{text}**' if cell.bold else text} {escaped(cell.spread)}".rstrip()


def escaped(text: str) -> str:
    """The text as it is: neither HTML nor emphasis, and no end of a cell."""
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_|\[\]~#])", r"\\\1", escape_html(one_line, quote=False))


def code(text: str) -> str:
    """A path or command between ticks, as many as it takes."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks, pad = "`" * (longest + 1), " " if longest else ""
    return f"{ticks}{pad}{' '.join(text.split())}{pad}{ticks}".replace("|", "\\|")
