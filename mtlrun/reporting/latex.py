"""A report's tables in LaTeX, with booktabs' rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtlrun.reporting.entries import BY_WORDS
from mtlrun.reporting.gains import MEASURES
from mtlrun.reporting.grid import MOST_TASK_COLUMNS, GridCell, GridColumn, grid, tasks_as_rows
from mtlrun.reporting.model import Report, Section

_ESCAPED = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "[": "{[}",  # after \\ a bracket would be an argument
    "]": "{]}",
    "−": "$-$",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}


def as_latex(report: Report) -> str:
    """One `table` per section, with booktabs' rules where the document loads it and plain lines elsewhere."""
    lines = [rf"\providecommand{{\{rule}}}{{\hline}}" for rule in ("toprule", "midrule", "bottomrule")]
    for section in report.sections:
        lines += _section(section, report)
    return "\n".join(lines) + "\n"


def _section(section: Section, report: Report) -> Iterator[str]:
    columns = [column for column in grid(section, report.measure) if column.kind != "cost"]
    if len(section.tasks) > MOST_TASK_COLUMNS:
        columns = tasks_as_rows(columns)
    yield from (r"\begin{table}", r"\centering", rf"\caption{{{_caption(section, report)}}}")
    if len(columns) > 5:
        yield r"\small\setlength{\tabcolsep}{4pt}"  # seven columns then fit a page of one column
    yield rf"\begin{{tabular}}{{{''.join('l' if column.kind == 'setting' else 'r' for column in columns)}}}"
    yield r"\toprule"
    yield from _headings(columns)
    yield r"\midrule"
    for place, cells in enumerate(zip(*(column.cells for column in columns))):
        if place == len(section.rows) and len(section.tasks) <= MOST_TASK_COLUMNS:
            yield r"\midrule"  # the papers' rows
        yield f"{' & '.join(map(_cell, cells))} \\\\"
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table}")


def _caption(section: Section, report: Report) -> str:
    words = f"Test scores {BY_WORDS[report.by]}, mean ± deviation over seeds."
    if any(row.delta for row in section.rows):
        words += f" {MEASURES[report.measure]}, with 95 % t intervals over seeds."
    if any(row.delta_bold or any(cell.bold for cell in row.cells) for row in section.rows):
        words += " Bold: the best of a column and all that is not separated from it."
    papers = [line for line in section.beside if line.startswith("Published rows") or "TEST rows" in line]
    return _escape(" ".join([words, *papers]))


def _headings(columns: Sequence[GridColumn]) -> Iterator[str]:
    """Two lines where a column has a unit, one else; names of configurations may take more."""
    lines = [[*column.heading.split("\n"), *([column.unit] if column.unit else [])] for column in columns]
    for at in range(max(map(len, lines))):
        yield f"{' & '.join(_escape(words[at]) if at < len(words) else '' for words in lines)} \\\\"


def _cell(cell: GridCell) -> str:
    text = _escape(_minus(cell.text))
    if cell.bold:
        text = rf"\textbf{{{text}}}"
    return rf"{text} {{\scriptsize {_escape(_minus(cell.spread))}}}" if cell.spread else text


def _minus(text: str) -> str:
    """Signs of numbers as mathematics sets them."""
    return text.replace("-", "−") if text[:1] in "-+[" and text[1:] else text


def _escape(text: str) -> str:
    """The text as it is; control characters are left out."""
    plain = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return "".join(_ESCAPED.get(letter, letter) for letter in plain)
