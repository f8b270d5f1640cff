"""A report as a user in Python or a notebook holds it."""

from __future__ import annotations

from typing import Any

from mtlrun.reporting.exports import as_dict
from mtlrun.reporting.html_table import as_html
from mtlrun.reporting.model import Report
from mtlrun.reporting.terminal import as_text


class ShownReport(Report):
    """A report that shows itself: its table as text, or as HTML in a notebook."""

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain values, as `--json` writes it."""
        return as_dict(self)
