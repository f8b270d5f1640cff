"""The front of plain weighted sums: what a method must beat before it is worth its cost.

Every trade-off that a method finds could be had by some fixed weights if the losses' attainable set is convex, and in
practice fixed weights come close (Xin et al. 2022, arXiv:2209.11379): so methods are set against a sweep of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtlrun.reporting.grid import WEIGHTS, GridCell, GridColumn, grid, weights_text
from mtlrun.reporting.model import Row, ScalarisationFront, Section, Standing, TaskColumn
from mtlrun.reporting.pooling import RunPool

_FEWEST = 3
"""Weightings that make a front."""

_Score = tuple[float, ...]


def scalarisation_front(
    rows: Sequence[Row], pools: Sequence[RunPool], tasks: Sequence[TaskColumn]
) -> ScalarisationFront | None:
    """The rows with fixed weights, those of them that no other is better than in every task, and where methods stand.

    None without three weightings. The plain sum (`balancer=equal`) is one of them.
    """
    scores = {place: found for place, row in enumerate(rows) if (found := _scores(row, tasks)) is not None}
    fixed = [place for place in scores if _is_weighting(rows[place], pools[place])]
    if sum(WEIGHTS in _groups(pools[place]) for place in fixed) < _FEWEST:
        return None
    front = [place for place in fixed if not any(_beats(scores[other], scores[place]) for other in fixed)]
    front.sort(key=lambda place: scores[place])
    methods = [place for place in scores if place not in fixed and not rows[place].is_baseline]
    standings = [_standing(place, scores, front) for place in methods]
    return ScalarisationFront(tuple(fixed), tuple(front), tuple(standings))


def front_lines(section: Section) -> list[str]:
    """The front in words, then a line for each method."""
    front = section.front
    if front is None:
        return []
    first = (
        f"Scalarisation front: {len(front.front)} of {len(front.rows)} fixed weightings, such that no other "
        "is better in one task and worse in none. A method is behind it if one weighting beats it so, beyond it if it "
        "beats one of the front so, else on it. By means over seeds, without a test."
    )
    return [first, *(_line(standing, section) for standing in front.methods)]


def front_grid(section: Section) -> list[GridColumn]:
    """The front from the worst score in the first task to the best, then the methods; [] where there is none."""
    front = section.front
    if front is None:
        return []
    places = [*front.front, *(standing.row for standing in front.methods)]
    words = ["front"] * len(front.front) + [standing.place for standing in front.methods]
    labels = tuple(GridCell(_label(section.rows[place], section)) for place in places)
    scores = [column for column in grid(section, "delta_m") if column.kind == "score"]
    return [
        GridColumn("scalarisation", "front", "setting", labels),
        *(
            GridColumn(column.heading, column.unit, "score", tuple(_plain(column.cells[at]) for at in places))
            for column in scores
        ),
        GridColumn("", "", "count", tuple(GridCell(word) for word in words)),
    ]


def _scores(row: Row, tasks: Sequence[TaskColumn]) -> _Score | None:
    """Means over seeds, higher is better; None where one is missing."""
    means = [cell.mean for cell in row.cells]
    known = [mean for mean in means if mean is not None]
    if len(known) < len(means):
        return None
    return tuple(mean if column.higher else -mean for mean, column in zip(known, tasks))


def _beats(one: _Score, other: _Score) -> bool:
    """Better in one task, worse in none."""
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other))


def _standing(place: int, scores: Mapping[int, _Score], front: Sequence[int]) -> Standing:
    mine = scores[place]
    rival = next((other for other in front if _beats(scores[other], mine)), None)
    if rival is not None:
        return Standing(place, "behind", rival)
    beaten = next((other for other in front if _beats(mine, scores[other])), None)
    return Standing(place, "on" if beaten is None else "beyond", beaten)


def _is_weighting(row: Row, pool: RunPool) -> bool:
    target = str(pool.setting("balancer._target_"))
    return not row.is_baseline and target.rpartition(".")[2] in ("Fixed", "Equal")


def _groups(pool: RunPool) -> set[str]:
    """The settings that hold numbers per task."""
    return {key.rpartition(".")[0] for key in pool.first.settings}


def _label(row: Row, section: Section) -> str:
    """The weights by task where they set the row apart; else what does."""
    return weights_text(row, section) or row.label


def _plain(cell: GridCell) -> GridCell:
    return GridCell(cell.text, cell.spread, number=cell.number)


def _line(standing: Standing, section: Section) -> str:
    label = section.rows[standing.row].label
    if standing.rival is None:
        return f"{label}: on the front."
    other = _label(section.rows[standing.rival], section)
    if standing.place == "behind":
        return f"{label}: behind the front; {other} is at least as good in every task."
    return f"{label}: beyond the front; at least as good as {other} in every task."
