"""The statistics over ten tasks or more, in a line per configuration."""

from __future__ import annotations

from mtlrun.reporting.many_tasks import THRESHOLDS, ManyTasks
from mtlrun.reporting.model import Section
from mtlrun.reporting.text import with_interval


def many_lines(section: Section) -> list[str]:
    """Interquartile mean, probability of improvement and performance profile against single-task training."""
    found = [(row.label, row.many) for row in section.rows if row.many]
    if not found:
        return []
    return [
        "Over the tasks, gain in % against single-task training (higher is better): interquartile mean [95 %]; "
        "probability that a run is better; share of tasks and seeds with a gain above a threshold.",
        *(f"{label}: {_line(many)}" for label, many in found),
    ]


def _line(many: ManyTasks) -> str:
    profile = ", ".join(f">{threshold:g}: {share:.2f}" for threshold, share in zip(THRESHOLDS, many.profile))
    return f"{with_interval(many.interquartile_mean)}; {many.improvement:.2f}; {profile}"
