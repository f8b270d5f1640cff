"""Commands that a launcher starts once more: SLURM after a preemption, torchrun after the death of a process."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from mtlrun.runs.jsonfile import read_json

_COUNTS = {"slurm": "SLURM_RESTART_COUNT", "torchrun": "TORCHELASTIC_RESTART_COUNT"}
"""Variables that say how often a launcher has started this command again."""


def launch() -> dict[str, str]:
    """What stays the same when a command is started once more, by launcher: SLURM's job, and the process of torchrun.

    A run whose `run.json` has the same is this command's own. torchrun's own name for the launch would not do: it is
    'none' unless the user has given one.
    """
    found = {"slurm": os.environ.get("SLURM_JOB_ID", "")}
    if "TORCHELASTIC_RUN_ID" in os.environ:
        found["torchrun"] = f"process {os.getppid()} on {platform.node()}"
    return {name: value for name, value in found.items() if value}


def restarted_by() -> list[str]:
    """The launchers that have started this command once more."""
    return [name for name, variable in _COUNTS.items() if os.environ.get(variable, "0") not in ("", "0")]


def goes_on(folder: Path) -> bool:
    """Whether the folder holds the run that this command began before a launcher started it once more.

    Not the run of another job or of another day, which the first start was refused: that one stays refused.
    """
    record = read_json(folder / "run.json")
    if record is None:
        return False
    begun, now = record.get("launch") or {}, launch()
    return any(name in now and begun.get(name) == now[name] for name in restarted_by())
