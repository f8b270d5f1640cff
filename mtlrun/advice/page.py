"""advice.html: the frame of a report's page, with the answer, the table and a picture of the affinity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from mtlrun.advice.course import Advice
from mtlrun.advice.facts import fact_lines
from mtlrun.advice.partitions import Affinity
from mtlrun.advice.words import Said
from mtlrun.reporting.grid import GridColumn
from mtlrun.reporting.page.heat_maps import heat_picture
from mtlrun.reporting.page.render import page_environment, style

_HERE = Path(__file__).parent


def as_advice_page(advice: Advice, words: Said, columns: Sequence[GridColumn], forgets: Sequence[str]) -> str:
    """One file that fetches nothing."""
    template = page_environment(_HERE).get_template("advice.html.jinja")
    return template.render(
        words=words,
        tasks=advice.facts.names,
        facts=[*fact_lines(advice.facts)],
        columns=columns,
        lines=[*zip(*(column.cells for column in columns))] if advice.looks else [],
        picture=None if advice.affinity is None else affinity_picture(advice.affinity),
        forgets=forgets,
        style=style(),
    )


def affinity_picture(affinity: Affinity) -> Markup:
    """Rows: the task of the step; columns: the task whose loss falls, in %. The largest value has the full colour."""
    values = 100 * np.array([[np.nan if value is None else value for value in line] for line in affinity.values])
    apart = values[~np.eye(len(values), dtype=bool)]
    known = np.abs(apart[np.isfinite(apart)])
    return heat_picture(affinity.tasks, values, float(known.max()) if known.size and known.max() > 0 else 1.0)
