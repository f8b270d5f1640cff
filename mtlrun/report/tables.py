"""What a run, or a sweep, came to: tables for the terminal. No number in them is ever cut off."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from mtlrun.runs.reader import Run

_STYLES = {"finished": "green", "failed": "red", "interrupted": "yellow", "running": "cyan"}
_NAMES_AND_WORDS = 57  # letters left for text in 80, without borders and the value
_TASK_COLUMNS = 3  # tasks that get a column each in the table of a sweep


def results_table(summary: Mapping[str, Any]) -> Table:
    """Test metrics of each task at the best validation epoch, the judging one with its direction first."""
    table = Table(title=_results_title(summary), title_justify="left", caption_justify="left")
    table.caption = "\n".join(filter(None, (_late_means(summary), _caption(summary)))) or None
    others = {task: _others(entry) for task, entry in summary.get("tasks", {}).items()}
    longest = _longest_word(others.values())
    names = max(8, (_NAMES_AND_WORDS - longest) // 2)
    table.add_column("task", overflow="fold", max_width=names)
    table.add_column("judged by", overflow="fold", max_width=names)
    table.add_column("test", justify="right", no_wrap=True, style="bold")
    table.add_column("also", overflow="fold", min_width=longest)
    for task, entry in summary.get("tasks", {}).items():
        value = number(_test(entry).get(entry.get("metric")))
        table.add_row(Text(task), Text(judge(entry)), value, " ".join(others[task]))
    return table


def sweep_table(runs: Sequence[Run]) -> Table:
    """One line per run: job, what sets it apart, how it ended, the judging test metric per task, folder.

    What all runs have in common stands above. A run that failed is red and says why.
    """
    root = _common_folder([run.path for run in runs])
    common = _common_overrides(runs)
    note = f"\nall: {' '.join(common)}" if common else ""
    table = Table(title=Text.assemble((f"Runs in {root}", "bold"), note), title_justify="left")
    summaries = [run.summary.get("tasks") or {} for run in runs]
    tasks = [*dict.fromkeys(task for summary in summaries for task in summary)]
    _sweep_columns(table, tasks, summaries)
    for place, (run, summary) in enumerate(zip(runs, summaries)):
        job = place if run.job is None else run.job
        folder = Text(str(run.path.absolute().relative_to(root)))
        table.add_row(str(job), _apart(run, common), _status(run), *_scores(summary, tasks), folder)
    return table


def number(value: Any) -> str:
    """Four decimals, or five digits where those would say nothing; '-' for no value."""
    if not isinstance(value, int | float):
        return "-"
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.5g}"


def judge(entry: Mapping[str, Any]) -> str:
    """The judging metric and its direction, such as 'accuracy ↑'; in words where arrows cannot be shown."""
    higher = entry.get("higher_is_better")
    if higher is None:
        return str(entry.get("metric", "-"))
    try:
        "↑↓".encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return f"{entry['metric']} ({'higher' if higher else 'lower'} is better)"
    return f"{entry['metric']} {'↑' if higher else '↓'}"


def _test(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return (entry.get("best") or {}).get("test") or {}


def _others(entry: Mapping[str, Any]) -> list[str]:
    """Words without a space, so that a line never breaks between a metric and its value."""
    return [f"{name}={number(value)}" for name, value in _test(entry).items() if name != entry.get("metric")]


def _longest_word(lines: Iterable[Sequence[str]]) -> int:
    return max((len(word) for line in lines for word in line), default=0)


def _results_title(summary: Mapping[str, Any]) -> Text:
    best, last = summary.get("best_epoch"), summary.get("last_epoch")
    where = f" at the best validation epoch, {best} (last: {last})" if best is not None else ""
    return Text(f"Test metrics{where}", style="bold")


def _caption(summary: Mapping[str, Any]) -> str | None:
    facts = {
        "wall_seconds": lambda value: f"{value:,.0f} s",
        "rows_per_second": lambda value: f"{value:,.0f} rows/s",
        "peak_memory_bytes": lambda value: f"peak memory {value / 2**30:.2f} GiB",
        "conflict_share": lambda value: f"{100 * value:.0f} % of pairs and steps in conflict",
    }
    said = [say(summary[key]) for key, say in facts.items() if isinstance(summary.get(key), int | float)]
    return ", ".join(said) or None


def _late_means(summary: Mapping[str, Any]) -> str | None:
    """Each task's judging metric as the mean over the last epochs, where that was asked for."""
    late = {task: entry for task, entry in summary.get("tasks", {}).items() if "mean_of_last" in entry}
    words = [f"{task} {number(entry['mean_of_last']['test'].get(entry['metric']))}" for task, entry in late.items()]
    epochs = max((entry["mean_of_last"]["epochs"] for entry in late.values()), default=0)
    return f"mean over the last {epochs} epochs: {', '.join(words)}" if words else None


def _common_overrides(runs: Sequence[Run]) -> list[str]:
    """What every run was told, in the order of the first; nothing for a single run, which is all apart."""
    first = runs[0].overrides if len(runs) > 1 else []
    return [entry for entry in first if all(entry in run.overrides for run in runs)]


def _common_folder(paths: Sequence[Path]) -> Path:
    """The folder that holds all runs."""
    if not paths:
        return Path()
    return Path(os.path.commonpath([path.absolute().parent for path in paths]))


def _sweep_columns(table: Table, tasks: list[str], summaries: Sequence[Mapping[str, Any]]) -> None:
    table.add_column("job", justify="right", no_wrap=True)
    table.add_column("overrides", overflow="fold")
    table.add_column("status", no_wrap=True)
    entries = {task: next(summary[task] for summary in summaries if task in summary) for task in tasks}
    if len(tasks) <= _TASK_COLUMNS:
        for task, entry in entries.items():
            table.add_column(Text(f"{task}\n{judge(entry)}"), justify="right", overflow="fold", min_width=6)
    else:
        words = (_scores(summary, tasks)[0].split() for summary in summaries)
        judges = dict.fromkeys(judge(entry) for entry in entries.values())
        heading = Text(f"test: {', '.join(judges)}")
        table.add_column(heading, overflow="fold", min_width=_longest_word(words))
    table.add_column("folder", overflow="fold")


def _scores(summary: Mapping[str, Any], tasks: list[str]) -> list[str]:
    """The judging test metric of each task: in a cell each, or in one for many tasks."""
    found = {task: _test(entry).get(entry.get("metric")) for task, entry in summary.items()}
    if len(tasks) <= _TASK_COLUMNS:
        return [number(found.get(task)) for task in tasks]
    return [" ".join(f"{task}={number(found[task])}" for task in tasks if task in found)]


def _apart(run: Run, common: list[str]) -> Text:
    text = Text(" ".join(entry for entry in run.overrides if entry not in common))
    if run.status == "failed" and run.error:
        text.append(f"\n{run.error}", style="red")
    return text


def _status(run: Run) -> Text:
    status = run.status or "not started"
    return Text(status, style=_STYLES.get(status, "dim"))
