"""Sweeps as they lie on disk: the one that a run belongs to, and the jobs that its record leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mtlrun.runs.yamlfile import read_yaml

RECORD = "sweep.yaml"
"""In a sweep's folder: the node `hydra` of its configuration, there before the first job starts."""

_WRITTEN_BY_HYDRA = "multirun.yaml"
"""The same node, and more, as some sweepers write it."""

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""Hydra's own sweeper, which knows all of its jobs at once; others choose as they go."""

_DEEPEST = 4
"""Levels of folders between a sweep's and a job's that are looked through."""


def sweep_of(folder: Path) -> Path | None:
    """The folder of the sweep whose job the run in `folder` is; None for a run of its own."""
    return next((above for above in islice(folder.resolve().parents, _DEEPEST) if (above / RECORD).is_file()), None)


def sweep_record(folder: Path) -> dict[str, Any] | None:
    """The node `hydra` of a sweep's configuration; None where the folder is no sweep's, or the file cannot be read."""
    file = next((path for name in (RECORD, _WRITTEN_BY_HYDRA) if (path := folder / name).is_file()), None)
    content = read_yaml(file) if file is not None else None
    node = content.get("hydra") if isinstance(content, dict) else None
    return node if isinstance(node, dict) else None


def knows_its_jobs(hydra: Any) -> bool:
    """Whether all jobs of a sweep are known, and checked, before the first one starts.

    Args:
        hydra: the node of that name.
    """
    return (hydra.get("sweeper") or {}).get("_target_") == BASIC


def sweep_words(params: Mapping[str, Any] | None, words: Sequence[str]) -> list[str]:
    """The settings of a sweep: those that stand with its sweeper, then those of its command line, as typed."""
    return [*(f"{key}={value}" for key, value in (params or {}).items()), *words]


def job_words(sweeper: Mapping[str, Any], words: Sequence[str]) -> list[list[str]]:
    """The overrides of each job of a sweep: those that its record lists one by one, or else those that the lists in its
    settings lead to, in the order of Hydra's own sweeper.

    Args:
        sweeper: the node `hydra.sweeper`.
        words: of the command line, as typed.
    """
    listed = sweeper.get("jobs")
    if listed is not None:
        return [[*map(str, job)] for job in listed]
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # no public name leads to its expansion
    from hydra.core.override_parser.overrides_parser import OverridesParser  # here: it is slow to load

    overrides = OverridesParser.create().parse_overrides(sweep_words(sweeper.get("params"), words))
    return [job for batch in BasicSweeper.split_arguments(overrides, max_batch_size=None) for job in batch]


def listed_jobs(folder: Path) -> set[tuple[str, ...]]:
    """The words of each job of a sweep whose record lists them one by one, of those that never started too."""
    record = sweep_record(folder) or {}
    return {tuple(words) for words in job_words(record.get("sweeper") or {}, ())}
