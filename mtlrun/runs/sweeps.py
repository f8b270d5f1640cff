"""The sweep that a run belongs to."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

RECORD = "sweep.yaml"
"""In a sweep's folder: the node `hydra` of its configuration, there before the first job starts."""

_DEEPEST = 4
"""Levels of folders between a sweep's and a job's that are looked through."""


def sweep_of(folder: Path) -> Path | None:
    """The folder of the sweep whose job the run in `folder` is; None for a run of its own."""
    return next((above for above in islice(folder.resolve().parents, _DEEPEST) if (above / RECORD).is_file()), None)
