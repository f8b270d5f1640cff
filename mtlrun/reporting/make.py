"""From folders or tables to a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError, near_miss
from mtlrun.reporting.beside import published_values, with_published
from mtlrun.reporting.entries import BY, By, Entry, read_entry
from mtlrun.reporting.foreign import read_table
from mtlrun.reporting.gains import MEASURES, Measure
from mtlrun.reporting.model import Section, TidyValue, Unfinished
from mtlrun.reporting.pooling import RunPool, label, pools, task_set, varying
from mtlrun.reporting.section import make_section
from mtlrun.reporting.settings import spelled
from mtlrun.reporting.shown import ShownReport
from mtlrun.reporting.to_finish import commands_to_finish
from mtlrun.reporting.tuning import refuse_unknown, tune
from mtlrun.runs.reader import Run, find_runs


def report(
    paths: Iterable[str | Path] | str | Path = (),
    *,
    baseline: str | Path | None = None,
    by: By = "best",
    where: Mapping[str, Any] | Sequence[str] = (),
    tune_keys: Sequence[str] = (),
    measure: Measure = "delta_m",
    tables: Sequence[str | Path] = (),
    lower: Sequence[str] = (),
    published: Sequence[str] = (),
) -> ShownReport:
    """Average runs over seeds, compare them with single-task training, and say what the numbers support.

    Args:
        paths: run folders, sweep folders, any folder above, or globs.
        baseline: a run of the configuration to compare with, or key=value; single-task runs among the paths by default.
        by: test scores 'best' (validation epoch), 'last' or 'mean_of_last'.
        where: settings that runs must have: {"balancer": "pcgrad"} or ["balancer=pcgrad,equal"].
        tune_keys: settings such as optimizer.lr of which each method gets its best value on validation rows.
        measure: 'delta_m' or 'delta_p'.
        tables: CSV files of other tools' results; see `mtlrun.reporting.foreign`.
        lower: metrics of those tables that are better when lower.
        published: tables of papers, such as 'nash_mtl/qm9', whose rows are shown below ours.

    Raises:
        ConfigError: for a path without runs, or a word that does not fit.
    """
    _one_of("--by", by, BY)
    _one_of("--measure", measure, MEASURES)
    given = [paths] if isinstance(paths, str | Path) else [*paths]
    entries = [read_entry(run, by) for run in runs_below(given)]
    for table in tables:
        entries += read_table(Path(table), lower)
    if not entries:
        raise ConfigError("name what to report on: mtlrun report PATH... or mtlrun report --from results.csv")
    kept = _filtered(entries, where)
    made = report_on(kept, by, measure, _chosen_baselines(baseline, pools(kept), by), tune_keys)
    if not published:
        return made
    sections = tuple(with_published(made.sections, kept, published, measure, by))
    return replace(made, sections=sections, published=tuple(published_values(published)))


def _one_of(option: str, word: str, words: Iterable[str]) -> None:
    """Raise ConfigError for a word that the option does not take; all that it takes are named, as its usage does."""
    words = [*words]
    if word not in words:
        raise ConfigError(f"{option} {word}{near_miss(word, words)}: write {option} {'|'.join(words)}")


def report_on(
    entries: Sequence[Entry],
    by: By = "best",
    measure: Measure = "delta_m",
    baselines: Sequence[RunPool] = (),
    tune_keys: Sequence[str] = (),
) -> ShownReport:
    """The report on runs that were read already; [] as `baselines`: the single-task runs among them."""
    rows = pools(entries)
    chosen = [next((row for row in rows if row == pool), pool) for pool in baselines]
    sections = [*_sections([*rows, *_added(chosen, rows)], chosen, tune_keys, measure)]
    return ShownReport(
        by,
        measure,
        tuple(sections),
        tuple(_unfinished(entries)),
        tuple(_tidy(entries, sections)),
        to_finish=tuple(commands_to_finish(entries)),
    )


def runs_below(paths: Sequence[str | Path]) -> list[Run]:
    """The runs that the paths name: run folders, sweep folders, any folder above them, globs.

    Raises:
        ConfigError: for a path without runs.
    """
    found: dict[Path, Run] = {}
    for path in paths:
        for folder in folders_of(str(path)):
            inside = find_runs(folder)
            if not inside:
                raise ConfigError(f"no run in '{folder}': name run folders, sweep folders, or folders above them")
            found.update({run.path.resolve(): run for run in inside})
    return [*found.values()]


def folders_of(word: str) -> list[Path]:
    """The folder of that name, or those that a glob matches; raises ConfigError if there is none."""
    path = Path(word)
    if path.is_dir():
        return [path]
    matches = [Path(match) for match in sorted(glob(word)) if Path(match).is_dir()] if has_magic(word) else []
    if not matches:
        beside = [entry.name for entry in path.parent.glob("*/")] if path.parent.is_dir() else []
        raise ConfigError(f"no folder '{word}'{near_miss(path.name, beside)}")
    return matches


def _filtered(entries: Sequence[Entry], where: Mapping[str, Any] | Sequence[str]) -> list[Entry]:
    """Entries that have one of the wanted values in every wanted setting."""
    kept = [*entries]
    for key, values in _conditions(where):
        refuse_unknown(key, sorted({name for entry in entries for name in entry.settings} | {"seed"}))
        kept = [entry for entry in kept if _spelled_setting(entry, key) in values]
    if not kept:
        raise ConfigError("no run is left by --where")
    return kept


def _conditions(where: Mapping[str, Any] | Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    if isinstance(where, Mapping):
        for key, value in where.items():
            yield key, [spelled(entry) for entry in (value if isinstance(value, list | tuple) else [value])]
        return
    for word in [where] if isinstance(where, str) else where:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"cannot read --where {word}: write key=value, or key=value,value")
        yield key, [value] if value.startswith("[") else value.split(",")


def _spelled_setting(entry: Entry, key: str) -> str | None:
    if key == "seed":
        return None if entry.seed is None else str(entry.seed)
    return spelled(entry.settings[key]) if key in entry.settings else None


def _chosen_baselines(baseline: str | Path | None, rows: Sequence[RunPool], by: By) -> list[RunPool]:
    """The pools that the user named as baseline, one per task set; [] if none was named."""
    if baseline is None:
        return []
    word = str(baseline)
    fitting = [row for row in rows if any(_is_run(entry, word) for entry in row.entries)]
    if not fitting and Path(word).is_dir():
        fitting = pools(read_entry(run, by) for run in runs_below([word]))
    elif not fitting and "=" in word:
        key, _, value = word.partition("=")
        refuse_unknown(key, sorted({name for row in rows for name in row.first.settings}))
        fitting = [row for row in rows if _spelled_setting(row.first, key) == value]
    if not fitting:
        raise ConfigError(f"--baseline {word}: no finished run of that name; name a run folder, or key=value")
    return fitting


def _is_run(entry: Entry, word: str) -> bool:
    return entry.folder == word or Path(entry.folder).resolve() == Path(word).resolve()


def _added(chosen: Sequence[RunPool], rows: Sequence[RunPool]) -> list[RunPool]:
    """Baselines from outside of the paths."""
    return [pool for pool in chosen if not any(pool is row for row in rows)]


def _sections(
    rows: Sequence[RunPool], chosen: Sequence[RunPool], keys: Sequence[str], measure: Measure
) -> Iterator[Section]:
    by_tasks: dict[Any, list[RunPool]] = {}
    for row in rows:
        by_tasks.setdefault(frozenset(task_set(row.first)), []).append(row)
    for group in by_tasks.values():
        tuned = tune(group, keys) if keys else []
        left = [choice.pool for choice in tuned] if keys else group
        own = [pool for pool in chosen if any(pool is row for row in left)]
        yield make_section(left, measure, own, tuned)


def _unfinished(entries: Sequence[Entry]) -> Iterator[Unfinished]:
    keys = varying([RunPool((entry,)) for entry in entries])
    for entry in entries:
        if entry.complete:
            continue
        seed = "" if entry.seed is None else f" seed={entry.seed}"
        status = "without scores" if entry.status == "finished" else entry.status
        yield Unfinished(entry.folder, label(RunPool((entry,)), keys) + seed, status, _reason(entry))


def _reason(entry: Entry) -> str:
    """Why it counts nowhere: a diverged run is told as such."""
    if entry.status == "failed":
        return f"{'diverged: ' if 'NonFinite' in (entry.error or '') else ''}{entry.error or ''}"
    return {"lost": "its process died", "silent": "nothing written for an hour"}.get(entry.status, "")


def _tidy(entries: Sequence[Entry], sections: Sequence[Section]) -> Iterator[TidyValue]:
    keys = sorted({key for section in sections for key in section.columns})
    for entry in entries:
        settings = {key: entry.settings[key] for key in keys if key in entry.settings}
        for task, score in entry.tasks.items() if entry.complete else ():
            for split, values in (("test", score.test), ("val", score.val)):
                judge_first = sorted(values, key=lambda metric: metric != score.metric)
                for metric in judge_first:
                    higher = score.directions.get(metric)
                    yield TidyValue(entry.folder, entry.seed, settings, task, metric, split, values[metric], higher)
