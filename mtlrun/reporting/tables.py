"""What a run came to: a table for the terminal. No number in it is ever cut off."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

_NAMES_AND_WORDS = 57  # letters left for text in 80, without borders and the value


def results_table(summary: Mapping[str, Any]) -> Group:
    """Test metrics of each task at the best validation epoch, the judging one with its direction first.

    The lines above and below the table are as wide as the terminal: rich breaks those of a table at its own width.
    """
    below = [Text(line, style="italic dim") for line in (_late_means(summary), _caption(summary)) if line]
    return Group(_results_title(summary), _metrics_table(summary), *below)


def _metrics_table(summary: Mapping[str, Any]) -> Table:
    table = Table()
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


def results_text(summary: Mapping[str, Any]) -> str:
    """The same as plain text, for a log."""
    file = StringIO()
    Console(file=file, width=100, markup=False, emoji=False, color_system=None).print(results_table(summary))
    return file.getvalue().rstrip()


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
    return (entry.get(_quoted(entry)) or {}).get("test") or {}


def _quoted(entry: Mapping[str, Any]) -> str:
    """The moment whose scores are shown: 'best', but the end for functions of a point."""
    return entry.get("quoted", "best")


def _others(entry: Mapping[str, Any]) -> list[str]:
    """Words without a space, so that a line never breaks between a metric and its value."""
    return [f"{name}={number(value)}" for name, value in _test(entry).items() if name != entry.get("metric")]


def _longest_word(lines: Iterable[Sequence[str]]) -> int:
    return max((len(word) for line in lines for word in line), default=0)


def _results_title(summary: Mapping[str, Any]) -> Text:
    best, last = summary.get("best_epoch"), summary.get("last_epoch")
    if {_quoted(entry) for entry in summary.get("tasks", {}).values()} == {"last"}:
        return Text(f"Test metrics at the end, epoch {last} (best: {best})", style="bold")
    where = f" at the best validation epoch, {best} (last: {last})" if best is not None else ""
    return Text(f"Test metrics{where}", style="bold")


def _caption(summary: Mapping[str, Any]) -> str | None:
    facts = {
        "wall_seconds": lambda value: f"{value:,.0f} s",
        "rows_per_second": lambda value: f"{value:,.0f} rows/s",
        "peak_memory_bytes": lambda value: f"peak memory {value / 2**30:.2f} GiB",
        "conflict_share": lambda value: _conflicts(value, summary),
    }
    said = [say(summary[key]) for key, say in facts.items() if isinstance(summary.get(key), int | float)]
    return ", ".join(said) or None


def _conflicts(share: float, summary: Mapping[str, Any]) -> str:
    return f"{100 * share:.0f} % of pairs and steps in conflict{_measured(summary)}, no verdict on sharing"


def _measured(summary: Mapping[str, Any]) -> str:
    """Says so where the cosines are a single look at the gradients."""
    counts = [pair.get("measured") for pair in summary.get("pairs") or []]
    return " (measured once)" if counts and max(counts) == 1 else ""


def _late_means(summary: Mapping[str, Any]) -> str | None:
    """Each task's judging metric as the mean over the last epochs, where that was asked for."""
    late = {task: entry for task, entry in summary.get("tasks", {}).items() if "mean_of_last" in entry}
    words = [f"{task} {number(entry['mean_of_last']['test'].get(entry['metric']))}" for task, entry in late.items()]
    epochs = max((entry["mean_of_last"]["epochs"] for entry in late.values()), default=0)
    return f"mean over the last {epochs} epochs: {', '.join(words)}" if words else None
