"""Better, worse or undecided: what the numbers support, in words."""

from __future__ import annotations

from collections.abc import Sequence

from mtlrun.reporting.gains import MEASURES, Measure
from mtlrun.reporting.model import Cell, Row, TaskColumn, Verdict
from mtlrun.reporting.paired import Estimate, detectable
from mtlrun.reporting.text import listed, with_interval

_TASKS_IN_FULL = 4
_LARGEST_SAID = 10
"""Deviations that a reader can make something of."""


def judge_gain(gain: Estimate | None) -> Verdict | None:
    """Undecided unless the gain (positive is better) is separated from 0; None where there is no gain."""
    if gain is None:
        return None
    if not gain.separated:
        return "undecided"
    return "better" if gain.mean > 0 else "worse"


def verdict_line(row: Row, tasks: Sequence[TaskColumn], measure: Measure) -> str | None:
    """A row against its baseline: each task with its difference and interval, or names alone where there are many."""
    judged = [(column, cell) for column, cell in zip(tasks, row.cells) if cell.verdict]
    if not judged or row.delta is None:
        return None
    if len(judged) <= _TASKS_IN_FULL:
        parts = [f"{column.task} {_in_full(cell)}" for column, cell in judged]
    else:
        parts = [_names(verdict, judged) for verdict in ("better", "worse", "undecided")]
    name = MEASURES[measure].partition(" (")[0].removesuffix(" %")
    whole = f"{name} {with_interval(row.delta, ' %')}: {row.verdict}"
    return f"{row.label}: {whole}; {', '.join(filter(None, parts))}"


def conclusion(rows: Sequence[Row]) -> str:
    """One sentence on multi-task against single-task training."""
    compared = [row for row in rows if row.delta is not None]
    if not compared:
        return _no_comparison(rows)
    most = max(row.delta.count for row in compared if row.delta)
    if most < 2:
        return "One seed: no test, so nothing is said about multi-task against single-task training."
    named = {word: [row.label for row in compared if row.verdict == word] for word in ("better", "worse", "undecided")}
    if len(named["undecided"]) == len(compared):
        which = "the one configuration" if len(compared) == 1 else f"none of the {len(compared)} configurations"
        negation = "is not" if len(compared) == 1 else "is"
        return (
            f"Undecided with {most} seeds: on the mean over the tasks {which} {negation} separated from single-task "
            "training."
        )
    parts = [f"{word} for {_few(labels)}" for word, labels in named.items() if labels]
    return f"Multi-task against single-task training, on the mean over the tasks: {'; '.join(parts)}."


def power_note(rows: Sequence[Row], comparisons: int) -> str | None:
    """What so few seeds can show at all; None from five seeds on."""
    known = [row.delta.count if row.delta else row.known_seeds for row in rows]
    counts = [count for count in known if count]
    fewest = min((count for count in counts if count > 1), default=0)
    if fewest == 0:
        return "1 seed: no spread is known, and nothing is tested or bold." if counts else None
    if fewest >= 5:
        return None
    if fewest == 2:
        return "2 seeds decide nothing but differences many times larger than their spread: take five."
    line = f"{fewest} seeds: only differences above about {detectable(fewest):.0f} standard deviations can show"
    if comparisons > 1:
        among = detectable(fewest, comparisons)
        size = f"above about {among:.0f}" if among <= _LARGEST_SAID else "and only far larger ones"
        line += f", {size} among {comparisons} comparisons"
    return f"{line} (deviations of the paired difference)."


def _in_full(cell: Cell) -> str:
    assert cell.gain is not None
    return f"{with_interval(cell.gain)} {cell.verdict}"


def _names(verdict: str, judged: Sequence[tuple[TaskColumn, Cell]]) -> str:
    found = [column.task for column, cell in judged if cell.verdict == verdict]
    if verdict == "undecided":
        return f"undecided on {len(found)}" if found else ""
    return f"{verdict} on {len(found)} of {len(judged)} ({', '.join(found)})" if found else ""


def _few(labels: Sequence[str]) -> str:
    return listed([*labels], 4)


def _no_comparison(rows: Sequence[Row]) -> str:
    if any(row.verdict for row in rows):
        return "Undecided: the seeds of the runs, or of their single-task runs, are not known."
    if any(row.is_baseline for row in rows):
        if all(row.is_baseline for row in rows):
            return "Single-task runs alone: nothing to compare them with."
        return "No single-task run has the data, backbone, budget and seeds of the others: no verdict."
    return "No single-task runs (sharing=independent) of these tasks among the paths: no Delta-m and no verdict."
