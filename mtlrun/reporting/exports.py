"""A report as files: tidy CSV, JSON, Markdown, LaTeX, a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError
from mtlrun.reporting.foreign import PUBLISHED
from mtlrun.reporting.gains import MEASURES
from mtlrun.reporting.latex import as_latex
from mtlrun.reporting.many_tasks import THRESHOLDS
from mtlrun.reporting.markdown import as_markdown
from mtlrun.reporting.model import Report
from mtlrun.reporting.settings import spelled
from mtlrun.runs.jsonfile import plain


def as_csv(report: Report) -> str:
    """One value a line: run, the settings that vary, seed, task, metric, split, value, higher_is_better.

    The judging metric of a task comes first. `mtlrun report --from` reads it back, but for a paper's values, which
    have a last column of their own that names the table.
    """
    keys = sorted({key for line in report.tidy for key in line.settings})
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    last = [PUBLISHED] if report.published else []
    table.writerow(["run", *keys, "seed", "task", "metric", "split", "value", "higher_is_better", *last])
    for line in report.tidy:
        settings = [spelled(line.settings[key]) if key in line.settings else "" for key in keys]
        direction = "" if line.higher is None else str(line.higher).lower()
        seed = "" if line.seed is None else line.seed
        table.writerow([line.run, *settings, seed, line.task, line.metric, line.split, f"{line.value:.9g}", direction])
    for paper in report.published:
        known = [paper.method, *("" for _ in keys), "", paper.task, paper.metric, "test", f"{paper.value:.9g}"]
        table.writerow([*known, str(paper.higher).lower(), paper.table])
    return text.getvalue()


def as_dict(report: Report) -> dict[str, Any]:
    """Every result in JSON's own types; the tidy values are left to `--csv`."""
    content = plain_values(report)
    content.pop("tidy")
    return {**content, "measure": MEASURES[report.measure], "profile_thresholds": list(THRESHOLDS)}


def as_json(report: Report) -> str:
    """The same as text."""
    import json

    return json.dumps(as_dict(report), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def as_page(report: Report, home: Path | None = None) -> str:
    """One HTML file with figures; see `mtlrun.reporting.page`."""
    from mtlrun.reporting.page.render import as_page as render  # here: Jinja2 is for those who want a page

    return render(report, home)


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "csv": as_csv,
    "json": as_json,
    "markdown": as_markdown,
    "latex": as_latex,
    "html": as_page,
}
"""Option of `mtlrun report` -> the file's text."""
_BESIDE = {"markdown": "md", "csv": "csv", "json": "json", "html": "html"}


def write(report: Report, kind: str, path: str | Path) -> None:
    """Write the report to a file; folders above it are made.

    Raises:
        ConfigError: if that cannot be done.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        text = as_page(report, Path(path).parent) if kind == "html" else FORMATS[kind](report)
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error


def write_beside(report: Report, folder: Path) -> list[Path]:
    """Write report.md, report.csv, report.json and report.html into a sweep's folder; returns them."""
    files = {kind: folder / f"report.{end}" for kind, end in _BESIDE.items()}
    for kind, path in files.items():
        write(report, kind, path)
    return [*files.values()]


def plain_values(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: plain_values(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain_values(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [plain_values(entry) for entry in value]
    return plain(value)
