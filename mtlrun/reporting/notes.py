"""The lines below a table: how its numbers are to be read, and what to run next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtlrun.reporting.baselines import alike
from mtlrun.reporting.compared import Compared
from mtlrun.reporting.further_seeds import further_seeds, single_task_runs
from mtlrun.reporting.gains import MEANINGS, Measure
from mtlrun.reporting.model import Row, TaskColumn
from mtlrun.reporting.pooling import label
from mtlrun.reporting.text import listed
from mtlrun.reporting.tuning import Tuned, describe
from mtlrun.reporting.verdicts import power_note

_MOST_BASELINES = 4


def notes(
    rows: Sequence[Row],
    tasks: Sequence[TaskColumn],
    compared: Sequence[Compared],
    measure: Measure,
    tuned: Sequence[Tuned],
) -> Iterator[str]:
    """What the columns mean, what was tested, what these seeds cannot show, and what is odd about the runs."""
    if any(row.delta is not None for row in rows):
        yield f"{MEANINGS[measure]}. Computed for each seed, then averaged; [95 % t interval over seeds]."
        yield from filter(None, [_correction(rows)])
    yield from filter(
        None,
        (
            _assumed(compared),
            _near_zero(compared, measure),
            _without_seeds(rows),
            _bold(rows),
            power_note(rows, len(tasks) * len(rows) * (len(rows) - 1) // 2),
            _test_noise(rows, tasks),
        ),
    )
    yield from (describe(choice, label(choice.pool, _others(rows, choice))) for choice in tuned)
    yield from filter(None, (_unmatched(rows), _repeats(compared), _versions(compared)))


def _others(rows: Sequence[Row], choice: Tuned) -> list[str]:
    """The columns that name a method, without what was tuned."""
    return sorted({key for row in rows for key in row.settings} - {*choice.grids})


def commands(rows: Sequence[Row], compared: Sequence[Compared]) -> list[str]:
    """What would let the table say more: single-task runs for the rows that have none, and seeds up to five."""
    pools = [entry.pool for entry in compared]
    served = [row.is_baseline or entry.baseline is not None for row, entry in zip(rows, compared)]
    known = {id(pool) for pool, there in zip(pools, served) if there}
    lacking = [group for group in alike(pools) if not any(id(pool) in known for pool in group)]
    return [*filter(None, map(single_task_runs, lacking[:_MOST_BASELINES])), *further_seeds(pools)]


def _correction(rows: Sequence[Row]) -> str | None:
    count = sum(cell.gain is not None and cell.gain.p is not None for row in rows for cell in row.cells)
    if count < 2:
        return None
    return f"Verdicts hold for all {count} comparisons together (Holm's correction); an interval holds for itself."


def _bold(rows: Sequence[Row]) -> str | None:
    if len(rows) < 2 or all(row.known_seeds < 2 for row in rows):
        return None
    rule = "paired t tests over seeds, Holm's correction over all pairs of rows and tasks"
    if any(row.delta_bold or any(cell.bold for cell in row.cells) for row in rows):
        return f"Bold: the best of a column and all that is not separated from it ({rule})."
    return f"Nothing is bold: no row is separated from the best of its column ({rule})."


def _assumed(compared: Sequence[Compared]) -> str | None:
    """Only of tables of other tools: our own runs say it of every metric."""
    found = {
        f"{metric} {'higher' if score.directions[metric] else 'lower'}": None
        for entry in compared
        for run in entry.pool.entries
        for score in run.tasks.values()
        for metric in score.assumed
    }
    if not found:
        return None
    return f"Better by the metrics' names (--lower and a column higher_is_better say it): {', '.join(found)}."


def _without_seeds(rows: Sequence[Row]) -> str | None:
    counts = [(len(row.seeds) - row.known_seeds, row) for row in rows]
    named = [f"{count} of {len(row.seeds)} runs of {row.label}" for count, row in counts if count]
    return f"No seeds: not compared ({listed(named)})." if named and len(rows) > 1 else None


def _test_noise(rows: Sequence[Row], tasks: Sequence[TaskColumn]) -> str | None:
    if all(len(row.seeds) < 2 for row in rows):
        return None
    known = [f"{column.task} {column.test_error:.2g}" for column in tasks if column.test_error is not None]
    line = "The deviation over seeds leaves out the noise of the test rows, which all configurations share"
    return f"{line}; its standard error is {listed(known)}." if known else f"{line}."


def _near_zero(compared: Sequence[Compared], measure: Measure) -> str | None:
    small = {
        f"{stick.task} {stick.metric} {stick.baseline:.3g}": None
        for entry in compared
        for stick in entry.sticks
        if not stick.relative
    }
    if not small:
        return None
    name = MEANINGS[measure].partition(":")[0]
    return f"Baselines too near zero for a ratio ({listed([*small])}): {name} takes 100 times the difference there."


def _unmatched(rows: Sequence[Row]) -> str | None:
    odd = [row.label for row in rows if row.delta is not None and row.delta.count < len(row.seeds)]
    return f"Not every seed has its single-task run; those that have are compared: {listed(odd)}." if odd else None


def _repeats(compared: Sequence[Compared]) -> str | None:
    count = sum(entry.pool.repeats for entry in compared)
    runs = "1 run has" if count == 1 else f"{count} runs have"
    return f"{runs} the same settings and seed as a later one and were left out." if count else None


def _versions(compared: Sequence[Compared]) -> str | None:
    found = [*dict.fromkeys(version for entry in compared for version in entry.pool.versions())]
    return f"These runs ran on {len(found)} versions of the code: {listed(found)}." if len(found) > 1 else None
