"""What measured scores say: whether an arrangement gains over single-task networks, when that is settled, what is best.

Pure functions of scores: nothing here trains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from mtlrun.advice.arrangement import Arrangement
from mtlrun.reporting.compared import (
    cells,
    compare,
    delta_by_seed,
    deltas,
    task_columns,
    towards_better,
)
from mtlrun.reporting.entries import Entry
from mtlrun.reporting.model import Row, TaskColumn, Verdict
from mtlrun.reporting.paired import Estimate, common_seeds, estimate, holm
from mtlrun.reporting.pooling import pools
from mtlrun.reporting.verdicts import judge_gain, verdict_line

Effect = Literal["gain", "loss", "mixed", "open"]
"""Of an arrangement: better somewhere and worse nowhere; the reverse; both; neither."""
Reason = Literal["agree", "full", "spent"]
"""Why stage 1 ended: two budgets agreed and the curves were flat; the configured length; the budget."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Judged:
    """An arrangement beside single-task networks of the same length and seeds.

    row: as in a report, with the verdicts. by_seed: Delta-m in %, lower is better.
    relative: tasks whose metric is far enough from zero to be divided by.
    """

    arrangement: Arrangement
    columns: tuple[TaskColumn, ...]
    row: Row
    by_seed: Mapping[int, float]
    relative: Mapping[str, bool]

    def tasks(self, verdict: Verdict) -> list[str]:
        """Those with this verdict."""
        return [column.task for column, cell in zip(self.columns, self.row.cells) if cell.verdict == verdict]

    @property
    def delta(self) -> Estimate:
        """Delta-m over the seeds."""
        assert self.row.delta is not None
        return self.row.delta

    @property
    def effect(self) -> Effect:
        """On the tasks and on the whole."""
        better = bool(self.tasks("better")) or self.row.verdict == "better"
        worse = bool(self.tasks("worse")) or self.row.verdict == "worse"
        if better and worse:
            return "mixed"
        return "gain" if better else "loss" if worse else "open"

    @property
    def line(self) -> str:
        """As a report says it."""
        return verdict_line(self.row, self.columns, "delta_m") or f"{self.row.label}: nothing to compare"


def judge(arrangement: Arrangement, found: Sequence[Entry], apart: Sequence[Entry]) -> Judged:
    """Paired over seeds by the report's own statistics; Holm's correction runs over the tasks.

    Args:
        arrangement: what was trained.
        found: its runs.
        apart: single-task runs of the same seeds and length.

    Raises:
        ValueError: if they have no seed in common.
    """
    seeds = {entry.seed for entry in found} & {entry.seed for entry in apart}
    if not seeds:
        raise ValueError(f"{arrangement.name}: no seed in common with the single-task runs")
    (base,) = pools([entry for entry in apart if entry.seed in seeds])
    (own,) = pools([entry for entry in found if entry.seed in seeds])
    compared, columns = compare([own], [base], "delta_m"), task_columns([base])
    delta = deltas(compared, "delta_m")[0]
    row = Row(
        label=arrangement.name,
        settings={},
        seeds=own.seeds,
        folders=tuple(entry.folder for entry in own.entries),
        cells=tuple(cells(compared, columns)[0]),
        delta=delta,
        verdict=compared[0].verdict(towards_better(delta, "delta_m")),
        seconds=own.mean("seconds"),
    )
    relative = {stick.task: stick.relative for stick in compared[0].sticks}
    return Judged(arrangement, tuple(columns), row, delta_by_seed(compared[0], "delta_m"), relative)


@dataclass(frozen=True)
class BudgetResult:
    """What one budget showed of the joint network.

    validation: side ('together' or 'apart') -> task -> the judging metric on validation rows, mean over seeds, with the
    sign that makes higher better.
    """

    length: int
    judged: Judged
    validation: Mapping[str, Mapping[str, float]]


def look_at(length: int, arrangement: Arrangement, joint: Sequence[Entry], apart: Sequence[Entry]) -> BudgetResult:
    """Of the runs of one length."""
    sides = {"together": joint, "apart": apart}
    validation = {side: _validation(found) for side, found in sides.items()}
    return BudgetResult(length, judge(arrangement, joint, apart), validation)


def _validation(found: Sequence[Entry]) -> dict[str, float]:
    means = {}
    for task, score in found[0].tasks.items():
        values = [value for entry in found if (value := entry.tasks[task].val.get(score.metric)) is not None]
        if values:
            means[task] = fmean(values) * (1 if score.higher else -1)
    return means


@dataclass(frozen=True)
class Moving:
    """A curve that is not flat: the metric rose by `by` since the last budget, more than the interval's half width."""

    side: str
    task: str
    by: float
    reach: float


def moving(before: BudgetResult, now: BudgetResult) -> list[Moving]:
    """The validation curves of either side that still improve faster than the interval of the task's gain is wide."""
    found = []
    for side, values in now.validation.items():
        for column, cell in zip(now.judged.columns, now.judged.row.cells):
            task, reach = column.task, (cell.gain.reach if cell.gain else None) or 0.0
            earlier = before.validation[side].get(task)
            if task not in values or earlier is None:
                continue
            by = values[task] - earlier
            if by > reach + _ROUNDING * abs(earlier):
                found.append(Moving(side, task, by, reach))
    return found


def agree(before: BudgetResult, now: BudgetResult) -> bool:
    """Whether two budgets say the same of the whole, and no task has changed sides."""
    a, b = before.judged, now.judged
    turned = {*a.tasks("better")} & {*b.tasks("worse")} or {*a.tasks("worse")} & {*b.tasks("better")}
    return a.effect == b.effect and not turned


@dataclass(frozen=True)
class Settled:
    """How stage 1 ended.

    effect: of the joint network; 'open' where the budget was spent on the way. moving: curves that were not flat.
    """

    effect: Effect
    reason: Reason
    look: BudgetResult
    agreed: bool
    moving: tuple[Moving, ...] = ()


def settled(looks: Sequence[BudgetResult], last: int, full: int) -> Settled | None:
    """Whether the budgets so far are enough; None asks for the next one.

    At the configured length the verdict stands whatever the curves do: that is the training in question.

    Args:
        looks: one for each budget, shortest first.
        last: the longest that a run may take.
        full: the configured length.
    """
    now = looks[-1]
    agreed = len(looks) > 1 and agree(looks[-2], now)
    still = tuple(moving(looks[-2], now)) if len(looks) > 1 else ()
    if agreed and not still:
        return Settled(now.judged.effect, "agree", now, agreed)
    if now.length < last:
        return None
    if now.length >= full:
        return Settled(now.judged.effect, "full", now, agreed, still)
    return Settled("open", "spent", now, agreed, still)


def asks_for_alternatives(found: Settled) -> bool:
    """Whether other arrangements are worth training: a task is worse, or too little is decided."""
    judged = found.look.judged
    if found.reason == "spent":
        return False  # networks that are still learning would be compared
    return found.effect != "gain" or (judged.row.verdict != "better" and bool(judged.tasks("undecided")))


def corrected(judged: Sequence[Judged]) -> list[Judged]:
    """The same with verdicts on the whole that hold for all of them together, by Holm's correction."""
    adjusted = holm([one.delta.p for one in judged])
    return [_with_p(one, p) for one, p in zip(judged, adjusted)]


def _with_p(judged: Judged, p: float | None) -> Judged:
    delta = replace(judged.delta, adjusted=p)
    verdict = judge_gain(towards_better(delta, "delta_m"))
    return replace(judged, row=replace(judged.row, delta=delta, verdict=verdict))


@dataclass(frozen=True)
class Choice:
    """What to do.

    best: the measured arrangement to take; None for single-task networks, and where nothing is decided.
    as_good: measured arrangements that are no worse than single-task networks as far as the seeds can tell.
    """

    answer: Literal["together", "apart", "otherwise", "undecided"]
    best: Judged | None = None
    as_good: tuple[Judged, ...] = ()


def choose_best(together: Judged, effect: Effect, others: Sequence[Judged]) -> Choice:
    """The best measured arrangement.

    Those that gain, or that gain on the whole although a task pays, are compared; if any of them gains on the whole,
    only those that do. The lowest mean Delta-m leads. A plainer one is kept unless the leader is separated from it: one
    where no task pays before one where a task does, and one network for all before others. Where none gains,
    single-task networks are the answer if sharing costs, and nothing is decided if it does not.

    Args:
        together: the joint network.
        effect: of it, as stage 1 settled it.
        others: the alternatives that were trained.
    """
    known = [(together, effect), *((one, one.effect) for one in others)]
    fit = [(one, found) for one, found in known if found == "gain" or (found == "mixed" and _on_the_whole(one))]
    pool = [(one, found) for one, found in fit if _on_the_whole(one)] or fit
    if pool:
        leader = min((one for one, _ in pool), key=lambda one: one.delta.mean)
        plainest = sorted(pool, key=lambda pair: (pair[1] != "gain", pair[0] is not together, pair[0].delta.mean))
        best = next(one for one, _ in plainest if one is leader or not beats(leader, one))
        return Choice("together" if best is together else "otherwise", best)
    if effect == "open":
        return Choice("undecided")
    no_worse = sorted((one for one in others if one.effect == "open"), key=lambda one: one.delta.mean)
    return Choice("apart", as_good=tuple(no_worse))


def _on_the_whole(judged: Judged) -> bool:
    return judged.row.verdict == "better"


def beats(first: Judged, second: Judged) -> bool:
    """Whether the first has a lower Delta-m, separated over the seeds that both have."""
    seeds = common_seeds(first.by_seed, second.by_seed)
    if not seeds:
        return False
    return judge_gain(estimate([second.by_seed[seed] - first.by_seed[seed] for seed in seeds])) == "better"
