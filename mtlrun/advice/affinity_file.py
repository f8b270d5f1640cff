"""The affinity, measured once for an advice and kept in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from mtlrun.advice.facts import Facts
from mtlrun.advice.lengths import FIRST
from mtlrun.advice.partitions import EVERY, Affinity
from mtlrun.runs.jsonfile import read_json, write_json


def kept_affinity(path: Path, words: Sequence[str], facts: Facts) -> Affinity:
    """From the file, or measured along the first fifth of the joint run and written there.

    Args:
        path: of the file.
        words: the settings of the joint run.
        facts: of the same.
    """
    known = read_json(path)
    if known is not None and known.get("tasks") == facts.names:
        return Affinity(tuple(known["tasks"]), tuple(map(tuple, known["values"])), known["steps"])
    print("Stage 2: looking ahead, what a step on one task does to the others", flush=True)
    from mtlrun.advice.affinity import affinity_of  # here: it loads torch

    found = affinity_of([*words, "seed=0"], ceil(facts.steps / FIRST))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"tasks": found.tasks, "values": found.values, "steps": found.steps})
    return found


def ahead_share(tasks: int) -> float:
    """Of the time of a whole joint run: a fifth of its steps, at every tenth a pass and a look for each task."""
    return (1 + 2 * tasks / EVERY) / FIRST
