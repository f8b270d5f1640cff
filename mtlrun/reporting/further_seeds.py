"""The commands that add seeds, or single-task baselines, to what was run, ready to paste."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from math import prod

from mtlrun.reporting.pooling import RunPool

_ENOUGH = 5
_MOST_COMMANDS = 4


def further_seeds(rows: Sequence[RunPool]) -> list[str]:
    """Commands that bring every row to five seeds; one for all rows that form a grid. [] where seeds are not known."""
    seeds = {seed for row in rows for seed in row.seeds if seed is not None}
    missing = _ENOUGH - min((len(row.entries) for row in rows), default=_ENOUGH)
    if not seeds or missing <= 0:
        return []
    added = ",".join(str(max(seeds) + 1 + index) for index in range(missing))
    folders = dict.fromkeys(row.first.config_dir for row in rows)
    lines = [
        (words, folder)
        for folder in folders
        for words in _grids(row.first.overrides for row in rows if row.first.config_dir == folder)
    ]
    return [command([*words, f"seed={added}"], folder) for words, folder in lines[:_MOST_COMMANDS]]


def single_task_runs(row: RunPool) -> str | None:
    """The command that trains the baseline of a row, with the same seeds; None where seeds are not known."""
    seeds = [seed for seed in row.seeds if seed is not None]
    if not seeds or not row.first.overrides:
        return None
    kept = [word for word in _without_seed(row.first.overrides) if _group(word) not in ("sharing", "balancer")]
    return command([*kept, "sharing=independent", f"seed={','.join(map(str, seeds))}"], row.first.config_dir)


def command(words: Iterable[str], config_dir: str | None = None) -> str:
    """A sweep as one would type it; config_dir: the folder of the user's own groups, which the words may need."""
    flags = [] if config_dir is None else ["--config-dir", config_dir]
    return " ".join(["mtlrun", "-m", *map(shlex.quote, (*flags, *words))])


def _grids(overrides: Iterable[Sequence[str]]) -> list[list[str]]:
    """Words of sweeps that run exactly the given combinations: one per set of keys if these form a full grid."""
    by_keys: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for words in overrides:
        kept = _without_seed(words)
        by_keys.setdefault(tuple(word.partition("=")[0] for word in kept), []).append(
            tuple(word.partition("=")[2] for word in kept)
        )
    return [line for keys, found in by_keys.items() for line in _lines(keys, [*dict.fromkeys(found)])]


def _lines(keys: Sequence[str], combinations: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """One line if the combinations are a full grid; else one per value of the key that leaves the fewest lines."""
    grid = _as_grid(keys, combinations)
    if grid:
        return [grid]
    splits = [_split(keys, combinations, index) for index in range(len(keys))]
    single = [[f"{key}={value}" for key, value in zip(keys, row)] for row in combinations]
    return min((lines for lines in splits if lines), key=len, default=single)


def _split(keys: Sequence[str], combinations: Sequence[tuple[str, ...]], index: int) -> list[list[str]]:
    """A grid for each value of one key; [] if some value does not have one."""
    values = [*dict.fromkeys(row[index] for row in combinations)]
    grids = [_as_grid(keys, [row for row in combinations if row[index] == value]) for value in values]
    return [grid for grid in grids if grid] if all(grids) else []


def _as_grid(keys: Sequence[str], combinations: Sequence[tuple[str, ...]]) -> list[str] | None:
    """The words of the sweep that runs these combinations and no others."""
    values = [[*dict.fromkeys(column)] for column in zip(*combinations)]
    if prod(map(len, values)) != len(combinations):  # they all differ, so a full grid has just as many
        return None
    return [f"{key}={','.join(column)}" for key, column in zip(keys, values)]


def _without_seed(words: Sequence[str]) -> list[str]:
    return [word for word in words if word.lstrip("+").partition("=")[0] != "seed"]


def _group(word: str) -> str:
    return word.lstrip("+").partition("=")[0].partition(".")[0]
