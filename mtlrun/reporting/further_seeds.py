"""The commands that add seeds, or single-task baselines, to what was run, ready to paste."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from math import prod

from mtlrun.commands import command_line, setting_group
from mtlrun.reporting.pooling import RunPool
from mtlrun.runs.reader import OWN_DATA

_ENOUGH = 5
_MOST_COMMANDS = 4


def further_seeds(rows: Sequence[RunPool]) -> list[str]:
    """Commands that bring every row to five seeds; one for all rows that form a grid. [] where seeds are not known.

    The seeds are the first ones that no row has.
    """
    known = {seed for row in rows for seed in row.seeds if seed is not None}
    missing = _ENOUGH - min((len(row.entries) for row in rows), default=_ENOUGH)
    if not known or missing <= 0:
        return []
    added = [*islice((seed for seed in count() if seed not in known), missing)]
    typed = [row for row in rows if not row.first.from_python]
    folders = dict.fromkeys(row.first.config_dir for row in typed)
    lines = [
        sweep_command([*words, _seeds(added)], folder)
        for folder in folders
        for words in _grids(row.first.overrides for row in typed if row.first.config_dir == folder)
    ]
    lines += (in_python(_without_seed(row.first.overrides), added) for row in rows if row.first.from_python)
    return lines[:_MOST_COMMANDS]


def single_task_runs(rows: Sequence[RunPool]) -> str | None:
    """The command that trains the baseline of rows of the same data, backbone and budget, with their seeds.

    None where seeds or words are not known.
    """
    first = rows[0].first
    seeds = sorted({seed for row in rows for seed in row.seeds if seed is not None})
    if not seeds or not first.overrides:
        return None
    kept = [word for word in _without_seed(first.overrides) if setting_group(word) not in ("sharing", "balancer")]
    return repeated([*kept, "sharing=independent"], seeds, first.config_dir, first.from_python)


def repeated(words: Sequence[str], seeds: Sequence[int], config_dir: str | None, from_python: bool) -> str:
    """What trains these settings with these seeds: a sweep, or lines of Python where the data came from there."""
    if from_python:
        return in_python(words, seeds)
    return sweep_command([*words, *([_seeds(seeds)] if seeds else [])], config_dir)


def sweep_command(words: Iterable[str], config_dir: str | None = None) -> str:
    """A sweep as one would type it; config_dir: the folder of the user's own groups, which the words may need."""
    flags = [] if config_dir is None else ["--config-dir", config_dir]
    return command_line("mtlrun", "-m", *flags, *words)


def in_python(words: Sequence[str], seeds: Sequence[int]) -> str:
    """The same for data that were handed over in Python, of which a command knows nothing: a shell takes it as a
    remark."""
    kept = [repr(word) for word in words if word != f"data.path={OWN_DATA}"]
    settings = ", ".join([*kept, *(["f'seed={seed}'"] if seeds else [])])
    loop = f"for seed in [{', '.join(map(str, seeds))}]: " if seeds else ""
    return f"# in Python: {loop}mtlrun.run([{settings}], data=frame)"


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed={','.join(map(str, seeds))}"


def _grids(overrides: Iterable[Sequence[str]]) -> list[list[str]]:
    """Words of sweeps that run exactly the given combinations: one per set of keys if these form a full grid."""
    by_keys: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for words in overrides:
        parts = [word.partition("=") for word in _without_seed(words)]
        keys = tuple(key + equals for key, equals, _ in parts)
        by_keys.setdefault(keys, []).append(tuple(value for _, _, value in parts))
    return [line for keys, found in by_keys.items() for line in _lines(keys, [*dict.fromkeys(found)])]


def _lines(keys: Sequence[str], combinations: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """One line if the combinations are a full grid; else one per value of the key that leaves the fewest lines.

    Args:
        keys: with their equals sign; a word such as ~logger has none, and no value.
        combinations: the values of each.
    """
    grid = _as_grid(keys, combinations)
    if grid:
        return [grid]
    splits = [_split(keys, combinations, index) for index in range(len(keys))]
    single = [[*map("".join, zip(keys, row))] for row in combinations]
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
    return [key + ",".join(_choices(column)) for key, column in zip(keys, values)]


def _choices(values: Sequence[str]) -> Iterator[str]:
    """An empty text among several is written as one: Hydra reads no value between two commas."""
    return (value or ("''" if len(values) > 1 else "") for value in values)


def _without_seed(words: Sequence[str]) -> list[str]:
    return [word for word in words if word.lstrip("+").partition("=")[0] != "seed"]
