"""One job of `mtlrun rerun`, in whatever process the launcher gives it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from mtlrun.cli.run import as_in_the_command
from mtlrun.cli.terminal import complain
from mtlrun.config.saved import change, load_config, recorded
from mtlrun.experiment.objective import Objective, objective_value
from mtlrun.experiment.run import run, verdict
from mtlrun.runs.folder import RunFolder, claim

GOES_ON, STARTS_AFRESH, NEW = "goes on", "starts afresh", "starts"


class Plan(NamedTuple):
    """What is done with a job: its number in the sweep, and one of the words above."""

    number: int
    action: str


def again(
    config: DictConfig, plans: Mapping[str, Plan], changes: Sequence[str], command: Sequence[str]
) -> Objective | None:
    """Train the job whose folder Hydra has named.

    Args:
        config: as composed now; used only where the folder holds none.
        plans: by the folder's path within the sweep.
        changes: settings to change, checked.
        command: what run.json says of it.
    """
    hydra = HydraConfig.get()
    path, plan = Path(hydra.runtime.output_dir), plans[hydra.sweep.subdir]
    as_in_the_command()
    try:
        if plan.action == NEW:
            _number(path, plan.number)
        else:
            config = load_config(path)
        if changes:
            config = change(config, changes)
        folder, resume = RunFolder(path), plan.action == GOES_ON
        with recorded(folder, changes):
            summary = run(config, folder, command, resume=resume, checked=plan.action != NEW)
        return objective_value(summary, config.objective)
    except Exception as error:
        complain(verdict(error, path)[1], f"job {plan.number}: ")
        return None


def put_aside(folder: Path) -> None:
    """Move what a job has left into `attempts/1`, `attempts/2`, ... in its folder: a run to look at, as it was."""
    aside = claim(folder / "attempts" / str(len([*(folder / "attempts").glob("*/")]) + 1))
    shutil.copytree(folder / ".hydra", aside / ".hydra")
    for entry in folder.iterdir():
        if entry.name not in (".hydra", ".lock", "attempts"):
            os.replace(entry, aside / entry.name)


def _number(folder: Path, number: int) -> None:
    """Write down the job's number in its sweep: launchers count those that they are given."""
    file = folder / ".hydra" / "hydra.yaml"
    saved = OmegaConf.load(file)
    saved.hydra.job.num = number
    OmegaConf.save(saved, file)
