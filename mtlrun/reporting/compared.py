"""Each configuration beside the single-task runs that it is measured against: the numbers of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import fmean, stdev

from mtlrun.reporting.baselines import find_baseline, is_single_task
from mtlrun.reporting.gains import Measure, Yardstick, gains, signed, yardsticks
from mtlrun.reporting.many_tasks import FEWEST_TASKS, ManyTasks, many_tasks
from mtlrun.reporting.model import Cell, TaskColumn, Verdict
from mtlrun.reporting.paired import Estimate, common_seeds, estimate, holm
from mtlrun.reporting.pooling import RunPool
from mtlrun.reporting.verdicts import judge_gain


@dataclass(frozen=True)
class Compared:
    """A pool beside the one it is measured against."""

    pool: RunPool
    baseline: RunPool | None
    sticks: Sequence[Yardstick] = ()

    @property
    def lacks_seeds(self) -> bool:
        """Whether it has a baseline but could not be paired with it, since one side's seeds are not known."""
        return self.baseline is not None and not (self.pool.has_seeds and self.baseline.has_seeds)

    def verdict(self, gain: Estimate | None) -> Verdict | None:
        """On a gain over the baseline (positive is better); undecided without known seeds."""
        return "undecided" if self.lacks_seeds else judge_gain(gain)


def compare(pools: Sequence[RunPool], chosen: Sequence[RunPool], measure: Measure) -> list[Compared]:
    """Each pool with its baseline: the one the user chose, or the single-task pool that fits."""
    return [_compare(pool, pools, chosen, measure) for pool in pools]


def is_baseline(pool: RunPool, chosen: Sequence[RunPool]) -> bool:
    """Whether others are measured against the pool."""
    return any(pool is other for other in chosen) if chosen else is_single_task(pool)


def _compare(pool: RunPool, pools: Sequence[RunPool], chosen: Sequence[RunPool], measure: Measure) -> Compared:
    if is_baseline(pool, chosen):
        return Compared(pool, None)
    baseline = chosen[0] if len(chosen) == 1 else find_baseline(pool, chosen or pools)
    return Compared(pool, None) if baseline is None else Compared(pool, baseline, yardsticks(baseline, measure))


def task_columns(pools: Sequence[RunPool]) -> list[TaskColumn]:
    """The tasks that the pools share."""
    columns = []
    for task, score in pools[0].first.tasks.items():
        means = [fmean(values) for pool in pools if (values := pool.scores(task).values())]
        error = _test_error(score.metric, fmean(means), score.rows.get("test"))
        columns.append(TaskColumn(task, score.metric, score.higher, error))
    return columns


def _test_error(metric: str, value: float, rows: int | None) -> float | None:
    """Standard error of a share of right rows, sqrt(p (1 - p) / n); None for other metrics."""
    if metric != "accuracy" or not rows or not 0 <= value <= 1:
        return None
    return sqrt(value * (1 - value) / rows)


def _row_cells(entry: Compared, tasks: Sequence[TaskColumn]) -> list[Cell]:
    cells = []
    for column in tasks:
        values = entry.pool.scores(column.task)
        mean = fmean(values.values()) if values else None
        deviation = stdev(values.values()) if len(values) > 1 else None
        cells.append(Cell(values, mean, deviation, gain=_gain(values, entry.baseline, column)))
    return cells


def _gain(values: Mapping[int, float], baseline: RunPool | None, column: TaskColumn) -> Estimate | None:
    if baseline is None:
        return None
    theirs, sign = baseline.scores(column.task), 1 if column.higher else -1
    differences = [sign * (values[seed] - theirs[seed]) for seed in common_seeds(values, theirs)]
    return estimate(differences) if differences else None


def cells(compared: Sequence[Compared], tasks: Sequence[TaskColumn]) -> list[list[Cell]]:
    """[row][task], with verdicts; Holm's correction runs over all methods and tasks together."""
    table = [_row_cells(entry, tasks) for entry in compared]
    corrected = iter(_corrected([cell.gain for row in table for cell in row]))
    return [[_with_gain(entry, cell, next(corrected)) for cell in row] for entry, row in zip(compared, table)]


def _with_gain(entry: Compared, cell: Cell, gain: Estimate | None) -> Cell:
    return replace(cell, gain=gain, verdict=entry.verdict(gain))


def _corrected(estimates: Sequence[Estimate | None]) -> list[Estimate | None]:
    adjusted = holm([entry.p if entry else None for entry in estimates])
    return [replace(entry, adjusted=p) if entry else None for entry, p in zip(estimates, adjusted)]


def deltas(compared: Sequence[Compared], measure: Measure) -> list[Estimate | None]:
    """Delta-m or Delta-p of each row; Holm's correction runs over the methods."""
    found = [delta_by_seed(entry, measure) for entry in compared]
    return _corrected([estimate([*values.values()]) if values else None for values in found])


def delta_by_seed(entry: Compared, measure: Measure) -> dict[int, float]:
    """Per seed; {} without a baseline."""
    if entry.baseline is None:
        return {}
    found = gains(entry.pool, entry.baseline, entry.sticks)
    return {seed: signed(gain, measure) for seed, gain in found.items()}


def towards_better(delta: Estimate | None, measure: Measure) -> Estimate | None:
    """The estimate with the sign that makes positive better."""
    if delta is None or measure == "delta_p":
        return delta
    low, high = (None if bound is None else -bound for bound in (delta.high, delta.low))
    return replace(delta, values=tuple(-value for value in delta.values), mean=-delta.mean, low=low, high=high)


def many(entry: Compared) -> ManyTasks | None:
    """Statistics over ten tasks or more; None for fewer, or without a baseline."""
    sticks = {stick.task: stick for stick in reversed(entry.sticks)}
    if entry.baseline is None or len(sticks) < FEWEST_TASKS:
        return None
    ours = {task: _upwards(entry.pool, stick) for task, stick in sticks.items()}
    theirs = {task: _upwards(entry.baseline, stick) for task, stick in sticks.items()}
    paired = {task: gains(entry.pool, entry.baseline, [stick]) for task, stick in sticks.items()}
    return many_tasks(paired, ours, theirs) if all(paired.values()) else None


def _upwards(pool: RunPool, stick: Yardstick) -> dict[int, float]:
    return {s: v if stick.higher else -v for s, v in pool.scores(stick.task, stick.metric).items()}
