"""advice.md, advice.json and advice.html in the folder of an advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mtlrun.advice.asked import Asked
from mtlrun.advice.course import Advice
from mtlrun.advice.facts import fact_lines
from mtlrun.advice.page import as_advice_page
from mtlrun.advice.verdict import Judged
from mtlrun.advice.words import Said, said
from mtlrun.atomic import complete_file
from mtlrun.reporting.exports import plain_values
from mtlrun.reporting.grid import GridCell, GridColumn
from mtlrun.reporting.markdown import escaped, table_lines
from mtlrun.reporting.model import Verdict
from mtlrun.reporting.paired import Estimate
from mtlrun.reporting.text import duration, fixed, with_interval
from mtlrun.runs.jsonfile import write_json

FORGETS = (
    "It holds for these settings, this data and this training: another backbone, rate or length may turn it.",
    "Intervals and verdicts are over seeds; the rows of the test are the same each time.",
)
"""What stands below every advice."""


def write_advice(advice: Advice, asked: Asked, folder: Path) -> list[str]:
    """Write the three files; returns what the terminal shows."""
    words = said(advice, asked)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "advice.json", as_content(advice, asked, words))
    for name, text in (
        ("advice.md", as_advice_markdown(advice, words)),
        ("advice.html", as_advice_page(advice, words, arrangement_columns(advice), FORGETS)),
    ):
        with complete_file(folder / name) as file:
            file.write(text.encode())
    return [*_on_terminal(words)]


def _on_terminal(words: Said) -> Iterator[str]:
    yield words.headline
    yield from (f"  {line}" for line in words.why)
    for step in words.steps:
        yield step.sentence
        yield from (f"  {command}" for command in step.commands)
    yield from words.hints


def as_advice_markdown(advice: Advice, words: Said) -> str:
    """The advice as GitHub's Markdown."""
    return "\n".join([*_markdown(advice, words), ""])


def _markdown(advice: Advice, words: Said) -> Iterator[str]:
    yield from (f"# {escaped(words.headline)}", "", *(f"{escaped(line)}\n" for line in words.why[:1]))
    if advice.looks:
        yield from ("## What was measured", "", *table_lines(arrangement_columns(advice)), "")
        yield from (*(f"- {escaped(line)}" for line in words.why[1:]), "")
    yield from ("## What to do", "")
    for step in words.steps:
        yield from (escaped(step.sentence), "")
        if step.commands:
            yield from ("```sh", *step.commands, "```", "")
    yield from ("## What the data show", "", *(f"- {escaped(line)}" for line in fact_lines(advice.facts)))
    if advice.affinity is not None:
        yield from ("", "## Affinity, a hint", "", *table_lines(affinity_columns(advice)), "")
        yield from map(escaped, words.hints)
    yield from ("", "## What it does not say", "", *(f"- {escaped(line)}" for line in FORGETS))


def arrangement_columns(advice: Advice) -> list[GridColumn]:
    """A row for each look at the joint network, and for each arrangement of stage 2."""
    length = advice.facts.length
    rows = [(look.length, look.judged) for look in advice.looks]
    rows += [(advice.looks[-1].length, one) for one in advice.others]
    return [
        GridColumn("networks", "", "setting", tuple(GridCell(one.arrangement.name) for _, one in rows)),
        GridColumn(length.unit, "", "setting", tuple(GridCell(str(amount)) for amount, _ in rows)),
        GridColumn("Delta-m", "% ↓", "score", tuple(GridCell(with_interval(one.delta)) for _, one in rows)),
        GridColumn("verdict", "", "setting", tuple(GridCell(one.row.verdict or "-") for _, one in rows)),
        GridColumn("better", "tasks", "setting", tuple(GridCell(_counted(one, "better")) for _, one in rows)),
        GridColumn("worse", "tasks", "setting", tuple(GridCell(_counted(one, "worse")) for _, one in rows)),
        GridColumn("time", "a run", "score", tuple(GridCell(duration(one.row.seconds)) for _, one in rows)),
    ]


def _counted(judged: Judged, verdict: Verdict) -> str:
    return f"{len(judged.tasks(verdict))} of {len(judged.columns)}"


def affinity_columns(advice: Advice) -> list[GridColumn]:
    """What a step on the task of the row does to the loss of the task of the column, in %."""
    affinity = advice.affinity
    assert affinity is not None
    first = GridColumn("a step on", "", "setting", tuple(map(GridCell, affinity.tasks)))
    return [first, *(_column(task, [line[at] for line in affinity.values]) for at, task in enumerate(affinity.tasks))]


def _column(task: str, values: Sequence[float | None]) -> GridColumn:
    cells = (GridCell(fixed(None if value is None else 100 * value, 2)) for value in values)
    return GridColumn(task, "% ↑", "score", tuple(cells))


def as_content(advice: Advice, asked: Asked, words: Said) -> dict[str, Any]:
    """Everything in JSON's own types."""
    end, best = advice.settled, advice.choice.best
    chosen = None if best is None else [*best.arrangement.words]
    return {
        "answer": "same" if advice.facts.all_the_same else advice.choice.answer,
        "headline": words.headline,
        "settings": [*asked.words],
        "networks": chosen,
        "settled_by": None if end is None else end.reason,
        "length": None if end is None else {advice.facts.length.unit: end.look.length, "of": advice.facts.length.full},
        "seeds": asked.seeds,
        "budget": asked.budget,
        "why": [*words.why],
        "steps": [{"what": step.sentence, "commands": [*step.commands]} for step in words.steps],
        "looks": [{"length": look.length, **_judged(look.judged)} for look in advice.looks],
        "others": [_judged(one) for one in advice.others],
        "failed": {**advice.failed},
        "as_good": [one.arrangement.name for one in advice.choice.as_good],
        "duplicates": [[pair.a, pair.b] for pair in advice.facts.pairs if pair.same],
        "facts": plain_values(advice.facts),
        "affinity": None if advice.affinity is None else plain_values(advice.affinity),
    }


def _judged(judged: Judged) -> dict[str, Any]:
    tasks = {
        column.task: {"metric": column.metric, "verdict": cell.verdict, "gain": _estimate(cell.gain)}
        for column, cell in zip(judged.columns, judged.row.cells)
    }
    return {
        "networks": judged.arrangement.name,
        "words": [*judged.arrangement.words],
        "effect": judged.effect,
        "verdict": judged.row.verdict,
        "delta_m": _estimate(judged.delta),
        "by_seed": {str(seed): value for seed, value in judged.by_seed.items()},
        "tasks": tasks,
        "folders": [*judged.row.folders],
    }


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else {"mean": found.mean, "low": found.low, "high": found.high}
