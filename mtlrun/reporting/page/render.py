"""The page: one file with its style, its script and its data, which fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mtlrun.reporting.entries import BY_WORDS
from mtlrun.reporting.gains import MEASURES
from mtlrun.reporting.grid import GridColumn, grid
from mtlrun.reporting.many_lines import many_lines
from mtlrun.reporting.model import Report, Section
from mtlrun.reporting.page.content import PageRow, page_rows
from mtlrun.reporting.page.curves import curves
from mtlrun.reporting.page.differences import differences, repeat_command
from mtlrun.reporting.page.forest import forests
from mtlrun.reporting.page.heat_maps import heat_maps
from mtlrun.reporting.page.samples import samples
from mtlrun.reporting.page.trade_offs import Axis, axes, picture
from mtlrun.reporting.scalarisation import front_grid, front_lines
from mtlrun.reporting.text import NO_VERDICT, with_interval

_HERE = Path(__file__).parent
_VERDICTS_AT_FIRST = 12


@dataclass(frozen=True)
class _TradeOff:
    """A scatter plot: its axes at first are places in the section's list."""

    title: str
    x: int
    y: int
    picture: Markup


def as_page(report: Report, home: Path | None = None) -> str:
    """The report as HTML.

    Args:
        report: what to show; curves, cosines and pictures are read from the folders of its rows.
        home: the folder that the page will lie in, for links to pictures that are too large for it.
    """
    share = 1 / max(1, len(report.sections))
    sections = [_section(section, report, home, share) for section in report.sections]
    return page_environment().get_template("page.html.jinja").render(
        report=report,
        by=BY_WORDS[report.by],
        measure=MEASURES[report.measure].partition(" %")[0],
        no_verdict=NO_VERDICT,
        sections=sections,
        data={"sections": [section["data"] for section in sections]},
        style=_file("vendor/uPlot.min.css") + style(),
        plotter=_file("vendor/uPlot.iife.min.js"),
        script=_file("page.js"),
        licence=_HERE.joinpath("vendor/uPlot.LICENSE").read_text(encoding="utf-8"),
    )  # fmt: skip


def page_environment(*folders: Path) -> Environment:
    """For templates of these folders, and for those of a report, the frame of every page among them."""
    environment = Environment(
        loader=FileSystemLoader([*folders, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False, "ensure_ascii": False}
    environment.filters["quoted"] = quote
    environment.filters["interval"] = with_interval
    return environment


def style() -> Markup:
    """What every page of ours looks like."""
    return _file("page.css")


def _file(name: str) -> Markup:
    """A file of ours as it is."""
    return Markup(_HERE.joinpath(name).read_text(encoding="utf-8"))


def _section(section: Section, report: Report, home: Path | None, share: float) -> dict[str, Any]:
    rows = page_rows(section)
    found = axes(section, rows, report.measure)
    maps, maps_left_out = heat_maps(rows)
    courses = curves(section, rows, share)
    columns = grid(section, report.measure)
    weighted = section.front.rows if section.front else ()
    compared = [row for row in rows if row.row.delta]
    return {
        "section": section,
        "verdicts": (compared[:_VERDICTS_AT_FIRST], compared[_VERDICTS_AT_FIRST:]),
        "rows": rows,
        "columns": columns,
        "lines": [*zip(rows, zip(*(column.cells for column in columns)))],
        "published": [*zip(*(column.cells[len(rows) :] for column in columns))],
        "many": many_lines(section),
        "curves": courses,
        "forests": forests(section, rows, report.measure),
        "axes": found,
        "trade_offs": _trade_offs(found, rows, weighted),
        "front": front_grid(section),
        "front_lines": front_lines(section),
        "maps": maps,
        "maps_left_out": maps_left_out,
        "differences": differences(rows),
        "commands": [(row, repeat_command(row)) for row in rows],
        "samples": samples(rows, home, share),
        "first_text": _first_text(columns),
        "data": {
            "rows": [{"label": row.label, "shown": row.shown} for row in rows],
            "curves": courses,
            "axes": [axis.payload() for axis in found],
            "weighted": weighted,
        },
    }


def _first_text(columns: Sequence[GridColumn]) -> int:
    """How many columns of settings stand first: these head a row for screen readers."""
    return sum(column.kind == "setting" for column in columns)


def _trade_offs(found: Sequence[Axis], rows: Sequence[PageRow], weighted: Sequence[int]) -> list[_TradeOff]:
    """Two tasks against each other, and the first score against the time per step."""
    tasks = [place for place, axis in enumerate(found) if axis.is_task]
    time = [place for place, axis in enumerate(found) if axis.label.startswith("ms per step")]
    pairs = [("Two tasks against each other", tasks[0], tasks[1])] if len(tasks) > 1 else []
    pairs += [("Score against time per step", time[0], tasks[0])] if time and tasks else []
    return [_TradeOff(title, x, y, picture(found[x], found[y], rows, title, weighted)) for title, x, y in pairs]
