"""The fair comparison: each method with the setting that is best for it on validation rows.

Kurin et al. 2022 (arXiv:2201.04122) and Xin et al. 2022 (arXiv:2209.11379): methods that were compared at one learning
rate for all differ by their taste in learning rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtlrun.errors import ConfigError, near_miss
from mtlrun.reporting.pooling import RunPool, task_set
from mtlrun.reporting.settings import fingerprint, spelled


@dataclass(frozen=True)
class Tuned:
    """A method's best row, of how many it was chosen, how many others score the same, and the keys at a grid's edge."""

    pool: RunPool
    tried: int
    ties: int
    edges: tuple[str, ...]
    grids: dict[str, tuple[Any, ...]]


def tune(rows: Sequence[RunPool], keys: Sequence[str]) -> list[Tuned]:
    """For each method the row with the highest mean validation score, in order of first appearance.

    Args:
        rows: of one table.
        keys: what was tuned; a method is what is left of the settings without them.

    Raises:
        ConfigError: for a key that no run has, or runs without validation scores.
    """
    known = sorted({key for row in rows for key in row.first.settings})
    for key in keys:
        refuse_unknown(key, known)
    methods: dict[str, list[RunPool]] = {}
    for row in rows:
        kept = {key: value for key, value in row.first.settings.items() if key not in keys}
        methods.setdefault(fingerprint([kept, task_set(row.first)]), []).append(row)
    return [_best(found, keys) for found in methods.values()]


def describe(tuned: Tuned, label: str) -> str:
    """One line: what was chosen, from how many, and whether the grid was wide enough."""
    chosen = ", ".join(f"{key}={spelled(tuned.pool.setting(key))}" for key in tuned.grids)
    line = f"{label}: {chosen} is best of {tuned.tried} on validation rows"
    if tuned.tried == 1:
        return f"{label}: {chosen} is the only value tried"
    if tuned.ties:
        line += f", as good as {tuned.ties} more"
    edges = [f"{key} {', '.join(map(spelled, tuned.grids[key]))}" for key in tuned.edges]
    return f"{line}; at the edge of its grid ({'; '.join(edges)}): try further values" if edges else line


def _best(rows: Sequence[RunPool], keys: Sequence[str]) -> Tuned:
    scored = {index: score for index, row in enumerate(rows) if (score := row.mean("validation")) is not None}
    if not scored:
        raise ConfigError(f"--tune {','.join(keys)} needs validation scores, and {rows[0].first.folder} has none")
    best = rows[max(scored, key=lambda index: scored[index])]
    ties = sum(score == best.mean("validation") for score in scored.values()) - 1
    grids = {key: _grid(rows, key) for key in keys}
    edges = [key for key, grid in grids.items() if len(grid) > 1 and _at_edge(best.setting(key), grid)]
    return Tuned(best, len(rows), ties, tuple(edges), grids)


def _grid(rows: Sequence[RunPool], key: str) -> tuple[Any, ...]:
    """Different values of the key, sorted if they are numbers."""
    values = [*{fingerprint(row.setting(key)): row.setting(key) for row in rows}.values()]
    return tuple(sorted(values)) if all(map(_is_number, values)) else tuple(values)


def _at_edge(value: Any, grid: Sequence[Any]) -> bool:
    return all(map(_is_number, grid)) and value in (grid[0], grid[-1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def refuse_unknown(key: str, known: Sequence[str]) -> None:
    """Raise ConfigError for a setting that no run has; the list of all is too long to print."""
    if key not in known:
        raise ConfigError(f"no run has a setting '{key}'{near_miss(key, known)}")
