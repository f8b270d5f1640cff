"""A reproduction in words and tables for the terminal."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence

from mtlrun.published.table import PrintedNumber, PublishedTable
from mtlrun.reporting.grid import GridCell, GridColumn
from mtlrun.reporting.reproduced import FEWEST_SEEDS, Beside, EndPoint, ReproducedRow
from mtlrun.reporting.text import decimals, fixed, listed

_ANSWERS = {True: "yes", False: "no", None: "-"}
_SPREADS = {
    "deviation": "deviation over seeds",
    "error": "standard error over seeds",
    "none": "no spread is published",
}


def heading(table: PublishedTable, quick: bool) -> list[str]:
    """What the table is, where it is from, how it was checked; first of all whether this is a reproduction."""
    lines = [f"NO REPRODUCTION, a reduction of it: {table.quick.says}."] if quick else []
    lines += [f"{table.name}: {table.title}", f"published: {table.source}; {table.verified}"]
    if table.claim:
        lines.append(f"claim: {table.claim}")
    if table.chooses_by:
        lines.append(f"{'CHOOSES BY TEST ROWS' if table.chooses_by_test else 'chosen by'}: {table.chooses_by}")
    return lines


def reproduced_columns(table: PublishedTable, rows: Sequence[ReproducedRow]) -> list[GridColumn]:
    """The table: a line for each number of each method, or for each point's end."""
    letters = protocol_letters(rows)
    if table.front:
        return _ends([(row, end) for row in rows for end in row.ends], letters)
    lines = [(row, number) for row in rows for number in row.numbers if number.ours or number.published]
    return _numbers(lines, letters)


def notes(table: PublishedTable, rows: Sequence[ReproducedRow]) -> Iterator[str]:
    """What the letters mean, how to read the numbers, which runs are missing, what is misprinted."""
    letters = protocol_letters(rows)
    yield from (f"({letter}) {line}" for line, letter in letters.items())
    if table.front:
        yield from (_summary(row) for row in rows if row.ends)
        yield f"The front is reached where the point ends within {_bounds(table)}."
    else:
        yield _reading(table, rows)
    missing = [row.method.name for row in rows if not row.runs]
    if missing:
        yield f"No run yet: {listed(missing, 20)}."
    yield from (f"{row.method.name}: {row.method.source}." for row in rows if row.method.source)
    yield from (f"{row.method.name}: {row.method.note}." for row in rows if row.method.note)
    yield from (f"Misprint or trap: {line}." for line in table.misprints)


def protocol_letters(rows: Sequence[ReproducedRow]) -> dict[str, str]:
    """Each way in which some run differs from the protocol, with its letter."""
    lines = [*dict.fromkeys(line for row in rows for line in row.differs)]
    names = [*string.ascii_lowercase, *(f"{a}{b}" for a in string.ascii_lowercase for b in string.ascii_lowercase)]
    return dict(zip(lines, names))


def _numbers(lines: Sequence[tuple[ReproducedRow, Beside]], letters: Mapping[str, str]) -> list[GridColumn]:
    return [
        _words("method", [row.method.name for row, _ in lines]),
        _words("", [f"{number.name}{f' [{number.unit}]' if number.unit else ''}" for _, number in lines]),
        GridColumn("ours", "± sd", "score", tuple(_ours(number) for _, number in lines)),
        _words("n", [str(len(number.ours)) for _, number in lines], "count"),
        GridColumn("published", "", "score", tuple(_printed(number.published, number.spread) for _, number in lines)),
        _words("difference", [_difference(number) for _, number in lines], "delta", "in our sd"),
        _words("protocol", [_letters(row, letters) for row, _ in lines], "cost", "differs in"),
    ]


def _ends(lines: Sequence[tuple[ReproducedRow, EndPoint]], letters: Mapping[str, str]) -> list[GridColumn]:
    return [
        _words("method", [row.method.name for row, _ in lines]),
        _words("from", [end.case for _, end in lines]),
        _words("ends at", ["({:.2f}, {:.2f})".format(*end.point) for _, end in lines], "score"),
        _words("front", [_ANSWERS[end.reaches] for _, end in lines], "score", "reached"),
        _words("from step", ["-" if end.since is None else f"{end.since:,}" for _, end in lines], "score"),
        _words("published", [_ANSWERS[end.published] for _, end in lines], "score"),
        _words("recomputed", [_ANSWERS[end.recomputed] for _, end in lines], "score"),
        _words("protocol", [_letters(row, letters) for row, _ in lines], "cost", "differs in"),
    ]


def _words(heading: str, texts: Sequence[str], kind: str = "setting", unit: str = "") -> GridColumn:
    return GridColumn(heading, unit, kind, tuple(map(GridCell, texts)))  # type: ignore[arg-type]


def _ours(number: Beside) -> GridCell:
    digits = decimals([number.deviation], [number.mean])
    if number.published is not None:
        digits = max(digits, number.published.digits)
    spread = "" if number.deviation is None else f"±{fixed(number.deviation, digits)}"
    return GridCell(fixed(number.mean, digits), spread)


def _printed(number: PrintedNumber | None, spread: PrintedNumber | None) -> GridCell:
    return GridCell("-" if number is None else number.text, f"±{spread.text}" if number and spread else "")


def _difference(number: Beside) -> str:
    return "-" if number.difference is None else f"{number.difference:+.1f}"


def _letters(row: ReproducedRow, letters: Mapping[str, str]) -> str:
    return " ".join(letters[line] for line in row.differs) or "-"


def _summary(row: ReproducedRow) -> str:
    """Such as 'LS reaches the front from 4 of 5 starts, by the paper from 4; not from [9.0,9.0]'."""
    reached = sum(end.reaches for end in row.ends)
    told = [end.published for end in row.ends if end.published is not None]
    paper = f", by the paper from {sum(told)}" if len(told) == len(row.ends) else ""
    missed = [end.case for end in row.ends if not end.reaches]
    return (
        f"{row.method.name} reaches the front from {reached} of {len(row.ends)} starts{paper}"
        f"{'; not from ' + ', '.join(missed) if missed else ''}."
    )


def _bounds(table: PublishedTable) -> str:
    return " and ".join(f"{name} from {low:g} to {high:g}" for name, (low, high) in (table.front or {}).items())


def _reading(table: PublishedTable, rows: Sequence[ReproducedRow]) -> str:
    if not any(number.published for row in rows for number in row.numbers):
        return "No published numbers are kept with this table: ours stand alone."
    seeds = "an unknown number of" if table.seeds is None else str(table.seeds)
    line = f"Published: {seeds} run(s) a row, ± {_SPREADS[table.spread]}."
    most = max((len(number.ours) for row in rows for number in row.numbers), default=0)
    if most < FEWEST_SEEDS:
        return f"{line} With fewer than {FEWEST_SEEDS} seeds of ours no difference is called one."
    return f"{line} Differences: ours less theirs in standard deviations of our seeds; no test is made."
