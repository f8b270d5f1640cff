"""A report on the terminal: readable at 80 columns, no number cut off, no name taken for markup."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

from rich import box
from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mtlrun.commands import command_line
from mtlrun.lines import printable
from mtlrun.reporting.entries import BY_WORDS
from mtlrun.reporting.grid import GridCell, GridColumn, grid, tasks_as_rows
from mtlrun.reporting.many_lines import many_lines
from mtlrun.reporting.model import Report, Row, Section, Unfinished
from mtlrun.reporting.scalarisation import front_grid, front_lines

_MOST_ROWS_WITH_FOLDERS = 24
_NO_COLOURS: Mapping[str, str] = {}
_COLOURS = {"better": "green", "worse": "red", "undecided": "yellow"}


def show_report(report: Report, console: Console | None = None) -> None:
    """Print the report."""
    if console is None and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # in Python too a terminal without arrows gets question marks
    screen = console or Console(highlight=False)
    for section in report.sections:
        _section(section, report, screen)
    _unfinished(report.unfinished, screen)
    _commands(report.to_finish, screen, "To finish what was stopped:")
    if not report.sections:
        _say("No finished run: nothing to average yet.", screen)


def as_text(report: Report, width: int = 120) -> str:
    """The report as plain text."""
    file = io.StringIO()
    show_report(report, Console(file=file, width=width, highlight=False))
    return file.getvalue()


def _section(section: Section, report: Report, screen: Console) -> None:
    _say(f"{section.name}: test scores {BY_WORDS[report.by]}, mean ± deviation over seeds", screen, "bold")
    if section.common:
        _say(f"all: {' '.join(section.common)}", screen, "dim")
    for table in fitting_tables(grid(section, report.measure), screen):
        screen.print(table)
    for table in fitting_tables(front_grid(section), screen) if section.front else ():
        screen.print(table)
    _say(section.conclusion, screen, "bold")
    _paragraph("", section.verdicts, screen, colours=_COLOURS)
    _paragraph("", [*front_lines(section), *many_lines(section)], screen)
    _paragraph("", section.notes, screen, "dim")
    _paragraph("", section.beside, screen)
    _paragraph("Doubts", section.doubts, screen, "yellow")
    _commands(section.commands, screen)
    _folders(section.rows, screen)


def fitting_tables(columns: Sequence[GridColumn], screen: Console) -> Iterator[Table]:
    """The table in the first shape that fits: one line a row; deviations below values; costs apart; tasks as rows."""
    costs = [column for column in columns if column.kind == "cost"]
    plain = [column for column in columns if column.kind != "cost"]
    settings = [column for column in columns if column.kind == "setting"]
    for shape, stacked in (([columns], False), ([columns], True), ([plain, [*settings, *costs]], True)):
        tables = [_table(part, stacked, screen) for part in shape if len(part) > len(settings)]
        if all(_width(table, screen) <= screen.width for table in tables):
            yield from tables
            return
    first, *rows = tasks_as_rows(columns)
    while rows:
        shown = [_table([first, *rows[:count]], True, screen) for count in range(1, len(rows) + 1)]
        fitting = max(1, sum(_width(table, screen) <= screen.width for table in shown))
        yield shown[fitting - 1]
        rows = rows[fitting:]


def _width(table: Table, screen: Console) -> int:
    """Columns of the terminal that the table would take if it could."""
    return Measurement.get(screen, screen.options.update(max_width=100_000), table).maximum


def _table(columns: Sequence[GridColumn], stacked: bool, screen: Console) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        words = [printable(part) for part in (column.heading, column.unit) if part]
        side: JustifyMethod = "left" if column.kind == "setting" else "right"
        table.add_column(Text("\n".join(words)), justify=side, no_wrap=True, vertical="top")
    for cells in zip(*(column.cells for column in columns)):
        table.add_row(*(_cell(cell, stacked, screen.is_terminal) for cell in cells))
    return table


def _cell(cell: GridCell, stacked: bool, styled: bool) -> Text:
    text = Text(printable(_mark(cell, styled)), style="bold" if cell.bold else "")
    if cell.spread:
        text.append(("\n" if stacked else " ") + cell.spread, style="not bold dim" if styled else "")
    return text


def _mark(cell: GridCell, styled: bool) -> str:
    """Bold cells have a star where there is no bold face."""
    return cell.text + "*" * (cell.bold and not styled)


def _paragraph(
    title: str, lines: Sequence[str], screen: Console, style: str = "", colours: Mapping[str, str] = _NO_COLOURS
) -> None:
    for line in lines:
        text = f"{title}: {line}" if title else line
        if not screen.is_terminal:
            text = text.replace("Bold:", "Bold (*):", 1) if text.startswith("Bold:") else text
        _say(text, screen, style, colours)


def _commands(commands: Sequence[str], screen: Console, title: str = "To go on:") -> None:
    """Each on one line however long, so that it can be copied."""
    if commands:
        _say(title, screen)
    for line in commands:
        screen.print(Text(f"  {printable(line)}", style="cyan"), soft_wrap=True)


def _folders(rows: Sequence[Row], screen: Console) -> None:
    """Where the runs of each row lie, below the folder that holds them all; broken between names only."""
    parents = [*dict.fromkeys(os.path.dirname(folder) for row in rows for folder in row.folders)]
    if len(rows) > _MOST_ROWS_WITH_FOLDERS:
        _say("Folders:", screen, whole=map(command_line, parents))
        return
    screen.print()
    one_kind = len({os.path.isabs(parent) for parent in parents}) == 1
    root = os.path.commonpath(parents) if one_kind else ""
    _say("Folders:" if not root else "Folders, in", screen, whole=[f"{command_line(root)}:"] if root else ())
    for row in rows:
        names = [os.path.relpath(folder, root) if root else folder for folder in row.folders]
        _say(f"{row.label}:", screen, "dim", whole=map(command_line, names))


def _unfinished(runs: Sequence[Unfinished], screen: Console) -> None:
    if not runs:
        return
    _say("Not counted:", screen, "bold")
    for run in runs:
        reason = f" ({run.reason})" if run.reason else ""
        style = "red" if run.status == "failed" else "yellow"
        _say(f"{run.status}: {run.label}{reason}", screen, style, whole=[command_line(run.folder)])


def _say(
    line: str,
    screen: Console,
    style: str = "",
    colours: Mapping[str, str] = _NO_COLOURS,
    whole: Iterable[str] = (),
) -> None:
    """Lines broken at blanks alone: a path or a name stays whole even where it is wider than the terminal.

    Args:
        whole: names that follow the line and are not broken at their own blanks either.
    """
    lines = wrap(
        " ".join([printable(line), *(printable(name).replace(" ", "\0") for name in whole)]),
        max(20, screen.width - 1),
        break_long_words=False,
        break_on_hyphens=False,
        subsequent_indent="  ",
    )
    for part in lines:
        text = Text(part.replace("\0", " "), style=style)
        for word, colour in colours.items():
            text.highlight_words([word], colour)
        screen.print(text, soft_wrap=True)
