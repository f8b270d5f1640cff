"""A paper's rows put below ours in a report: shown and measured in our standard deviations, never pooled or tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mtlrun.errors import ConfigError
from mtlrun.published.library import published_table
from mtlrun.published.table import PrintedNumber, PublishedMethod, PublishedMetric, PublishedTable
from mtlrun.reporting.baselines import SINGLE_TASK_WORDS
from mtlrun.reporting.entries import BY_WORDS, By, Entry
from mtlrun.reporting.gains import Measure
from mtlrun.reporting.model import PublishedCell, PublishedRow, PublishedValue, Row, Section, TaskColumn
from mtlrun.reporting.reproduced import FEWEST_SEEDS, deviations, in_deviations, lacking
from mtlrun.reporting.settings import Settings
from mtlrun.reporting.text import listed


def with_published(
    sections: Sequence[Section], entries: Iterable[Entry], names: Sequence[str], measure: Measure, by: By
) -> list[Section]:
    """The sections with the rows of each table whose tasks they have.

    Args:
        sections: of the report.
        entries: its runs.
        names: of the tables.
        measure: of the report.
        by: which scores of a run it shows; ours are set against a table's only where it quotes the same.

    Raises:
        ConfigError: for a name that is none, or a table of which no section has a task and metric.
    """
    settings = {entry.folder: entry.settings for entry in entries}
    found = [*sections]
    for name in names:
        table = published_table(name)
        fitting = [place for place, section in enumerate(found) if any(_columns(table, section))]
        if not fitting:
            judged = ", ".join(f"{task.task}/{task.metric}" for section in sections for task in section.tasks)
            wanted = ", ".join(f"{metric.task}/{metric.metric}" for metric in table.metrics)
            raise ConfigError(f"--published {name} is about {wanted}: these runs are judged by {judged or 'nothing'}")
        for place in fitting:
            found[place] = _with_table(found[place], table, settings, measure, by)
    return found


def published_values(names: Sequence[str]) -> Iterator[PublishedValue]:
    """Every number of the tables, in the unit of our scores."""
    for table in map(published_table, names):
        for method in table.methods:
            for metric, number in zip(table.metrics, method.values):
                if number is not None:
                    value = float(_in_our_unit(number, metric).text)
                    yield PublishedValue(table.name, method.name, metric.task, metric.metric, value, metric.higher)


def _with_table(
    section: Section, table: PublishedTable, settings: Mapping[str, Settings], measure: Measure, by: By
) -> Section:
    columns = _columns(table, section)
    rows = [_row(table, method, columns, measure) for method in table.methods if method.values or method.delta]
    lines = [f"Published rows ({table.name}): {table.source}; {table.verified}."]
    if table.chooses_by_test:
        lines.append(f"{table.name} chooses by TEST rows: {table.chooses_by}.")
    if section.rows and any(row.delta for row in rows):
        lines.append(f"{table.name}: its Delta is as printed, against the paper's own single-task row.")
    lines += _compared(section, table, columns, settings, by)
    lines += (f"{table.name}, misprint or trap: {line}." for line in table.misprints)
    return replace(section, published=(*section.published, *rows), beside=(*section.beside, *lines))


def _columns(table: PublishedTable, section: Section) -> list[int | None]:
    """Of each task of the section the place of its judging metric in the table; None where it is not there."""
    places = {(metric.task, metric.metric): place for place, metric in enumerate(table.metrics)}
    return [places.get((task.task, task.metric)) for task in section.tasks]


def _row(
    table: PublishedTable, method: PublishedMethod, columns: Sequence[int | None], measure: Measure
) -> PublishedRow:
    cells = tuple(None if place is None else _cell(table, method, place) for place in columns)
    same = table.delta is not None and table.delta.name.lower().startswith(measure.replace("_", "-"))
    delta = None
    if same and method.delta is not None:
        delta = PublishedCell(method.delta.text, method.delta_spread.text if method.delta_spread else "")
    return PublishedRow(table.name, method.name, table.seeds, cells, delta)


def _cell(table: PublishedTable, method: PublishedMethod, place: int) -> PublishedCell | None:
    number = method.values[place] if method.values else None
    spread = method.spreads[place] if method.spreads else None
    if number is None:
        return None
    metric = table.metrics[place]
    scaled = _in_our_unit(spread, replace(metric, offset=0.0)).text.lstrip("-") if spread else ""
    return PublishedCell(_in_our_unit(number, metric).text, scaled)


def _in_our_unit(number: PrintedNumber, metric: PublishedMetric) -> PrintedNumber:
    """With as many digits as are printed."""
    digits = max(0, number.digits) + max(0, len(f"{abs(metric.scale):.0f}") - 1)
    return PrintedNumber(f"{(number.value - metric.offset) / metric.scale:.{digits}f}")


def _compared(
    section: Section, table: PublishedTable, columns: Sequence[int | None], settings: Mapping[str, Settings], by: By
) -> Iterator[str]:
    """A line for each row of ours that has a counterpart, and one for each way in which the protocol differs."""
    differing: dict[str, list[str]] = {}
    pairs = [(row, chosen, method) for row in section.rows for chosen, method in counterparts(row, table, settings)]
    paired = [row for row, _, _ in pairs]
    for row in section.rows:
        if row not in paired and row.folders:
            yield from _unlike(row, table, settings.get(row.folders[0], {}))
    if any(not _quotes_the_same(table, chosen, by) for _, chosen, _ in pairs):
        yield (
            f"{table.name} quotes scores {BY_WORDS[table.by]}, this report those {BY_WORDS[by]}: no difference is "
            f"taken between the two; add --by {table.by}."
        )
    for row, chosen, method in pairs:
        if _quotes_the_same(table, chosen, by):
            yield _difference(row, section.tasks, table, method, columns)
        for line in deviations(table, chosen, method):
            differing.setdefault(line, []).append(row.label)
    for line, labels in differing.items():
        whose = "" if len(set(labels)) == len({row.label for row, _, _ in pairs}) else f" ({listed(labels)})"
        yield f"Protocol of {table.name} differs in {line}{whose}."


def _quotes_the_same(table: PublishedTable, chosen: Settings, by: By) -> bool:
    """Whether the report shows the scores that the table quotes; where no epoch is chosen the best is the last."""
    return table.by == by or ({table.by, by} == {"best", "last"} and chosen.get("trainer.select") == "last")


def counterparts(
    row: Row, table: PublishedTable, settings: Mapping[str, Settings]
) -> Iterator[tuple[Settings, PublishedMethod]]:
    """The published rows of single-task training, or those that the run was trained as: of several, such as MGDA-UB
    and MGDA, the one that says most."""
    chosen = settings.get(row.folders[0], {}) if row.folders else {}
    apart = _is_single_task(row, chosen)
    found = [method for method in _alike(row, table, chosen) if apart or not lacking(table, method, chosen)]
    most = max((len(method.words or ()) for method in found), default=0)
    yield from ((chosen, method) for method in found if apart or len(method.words or ()) == most)


def _is_single_task(row: Row, chosen: Settings) -> bool:
    """Whether the row is the baseline, and not one of shared networks that the user has named as such."""
    return row.is_baseline and ("sharing" not in chosen or chosen["sharing"] in SINGLE_TASK_WORDS)


def _alike(row: Row, table: PublishedTable, chosen: Settings) -> list[PublishedMethod]:
    """The methods of the same balancer, or of single-task training."""
    single = [method for method in table.trained if method.chosen("sharing") in SINGLE_TASK_WORDS]
    if _is_single_task(row, chosen):
        return single
    return [
        method
        for method in table.trained
        if method not in single and "balancer" in chosen and method.chosen("balancer") == chosen["balancer"]
    ]


def _unlike(row: Row, table: PublishedTable, chosen: Settings) -> Iterator[str]:
    """Why a row of ours has no counterpart, although one has its balancer."""
    found = [(lacking(table, method, chosen), method.name) for method in _alike(row, table, chosen)]
    if found:
        words, name = min(found, key=lambda pair: len(pair[0]))
        yield f"{row.label} has no counterpart in {table.name}: {name} is trained with {' '.join(words)}."


def _difference(
    row: Row,
    tasks: Sequence[TaskColumn],
    table: PublishedTable,
    method: PublishedMethod,
    columns: Sequence[int | None],
) -> str:
    beside = f"{row.label} beside {method.name} ({table.name})"
    if len(row.seeds) < FEWEST_SEEDS:
        return f"{beside}: fewer than {FEWEST_SEEDS} seeds, no difference is called one."
    parts = []
    for task, cell, place in zip(tasks, row.cells, columns):
        printed = None if place is None else _cell(table, method, place)
        found = None if printed is None else in_deviations([*cell.values.values()], printed.number)
        if found is not None:
            parts.append(f"{task.task} {found:+.1f}")
    if not parts:
        return f"{beside}: no difference to tell, as the row has no number for it or our seeds are all equal."
    return f"{beside}, ours less theirs in standard deviations of our seeds: {', '.join(parts)}; no test is made."
