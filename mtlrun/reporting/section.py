"""One table: the configurations of a task set, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from mtlrun.reporting.best import bold, mean_ranks
from mtlrun.reporting.cautions import gathered
from mtlrun.reporting.compared import (
    Compared,
    cells,
    compare,
    delta_by_seed,
    deltas,
    is_baseline,
    many,
    task_columns,
    towards_better,
)
from mtlrun.reporting.gains import Measure
from mtlrun.reporting.model import Row, Section, TaskColumn
from mtlrun.reporting.notes import commands, notes
from mtlrun.reporting.pooling import RunPool, common, label, varying
from mtlrun.reporting.scalarisation import scalarisation_front
from mtlrun.reporting.tuning import Tuned
from mtlrun.reporting.verdicts import conclusion, verdict_line


def make_section(
    pools: Sequence[RunPool], measure: Measure, chosen: Sequence[RunPool] = (), tuned: Sequence[Tuned] = ()
) -> Section:
    """The table of pools that share a task set.

    Args:
        pools: its rows; baselines are moved to the front.
        measure: what rows are compared with their baseline by.
        chosen: baselines that the user named, instead of those that are found.
        tuned: how each pool was chosen, if it was.
    """
    ordered = sorted(pools, key=lambda pool: not is_baseline(pool, chosen))
    keys = sorted({*varying(ordered), *chain.from_iterable(choice.grids for choice in tuned)})
    compared, tasks = compare(ordered, chosen, measure), task_columns(ordered)
    rows = _rows(compared, tasks, keys, measure, tuned, sum(is_baseline(pool, chosen) for pool in pools))
    return Section(
        tasks=tuple(tasks),
        columns=tuple(keys),
        common=tuple(common(ordered)),
        rows=tuple(rows),
        conclusion=conclusion(rows),
        verdicts=tuple(line for row in rows if (line := verdict_line(row, tasks, measure))),
        notes=tuple(notes(rows, tasks, compared, measure, tuned)),
        doubts=tuple(gathered((entry.folder, entry.doubts) for pool in ordered for entry in pool.entries)),
        commands=tuple(commands(rows, compared)),
        front=scalarisation_front(rows, ordered, tasks),
    )


def _rows(
    compared: Sequence[Compared],
    tasks: Sequence[TaskColumn],
    keys: Sequence[str],
    measure: Measure,
    tuned: Sequence[Tuned],
    num_baselines: int,
) -> list[Row]:
    pools = [entry.pool for entry in compared]
    columns = [[pool.scores(column.task) for pool in pools] for column in tasks]
    higher = [column.higher for column in tasks]
    bold_cells, found, gained = bold(columns, higher), cells(compared, tasks), deltas(compared, measure)
    bold_deltas = bold([[delta_by_seed(entry, measure) for entry in compared]], [measure == "delta_p"])[0]
    ranks = [None] * num_baselines + mean_ranks([column[num_baselines:] for column in columns], higher)
    apart = varying(pools[num_baselines:]) or keys
    edges = {id(choice.pool): choice.edges for choice in tuned}
    return [
        Row(
            label=label(pool, apart if index >= num_baselines else keys),
            settings={key: pool.setting(key) for key in keys if key in pool.first.settings},
            seeds=pool.seeds,
            folders=tuple(run.folder for run in pool.entries),
            cells=tuple(replace(cell, bold=bold_cells[at][index]) for at, cell in enumerate(found[index])),
            is_baseline=index < num_baselines,
            baseline=None if entry.baseline is None else pools.index(entry.baseline),
            delta=gained[index],
            delta_bold=bold_deltas[index],
            verdict=entry.verdict(towards_better(gained[index], measure)),
            rank=ranks[index] if len(pools) - num_baselines > 1 else None,
            seconds=pool.mean("seconds"),
            memory=pool.mean("memory"),
            validation=pool.mean("validation"),
            many=many(entry),
            edges=edges.get(id(pool), ()),
        )
        for index, (entry, pool) in enumerate(zip(compared, pools))
    ]
