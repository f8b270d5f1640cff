"""The overall score of several tasks: what epochs are chosen by, and a report shows."""

from __future__ import annotations

import math
from collections.abc import Iterable

FLOORS = {True: 1e-3, False: 1e-12}
"""Of a metric by whether higher is better, so that one task at zero does not decide everything."""


def overall(values: Iterable[tuple[float, bool]]) -> float | None:
    """Geometric mean of judging metrics, each one inverted where lower is better. Higher is better.

    A relative change counts the same in every task, whatever its unit, as in the relative measures that multi-task
    papers report, and no reference run is needed.

    Args:
        values: each with whether higher is better. One that is NaN does not count, such as the mAP of a split without
            a box: it says nothing about any epoch.

    Returns:
        None if nothing counts.
    """
    logs = [
        (1 if higher else -1) * math.log(max(value, FLOORS[higher]))
        for value, higher in values
        if not math.isnan(value)
    ]
    return math.exp(sum(logs) / len(logs)) if logs else None
