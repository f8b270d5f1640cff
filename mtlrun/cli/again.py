"""One job of `mtlrun rerun`, in whatever process the launcher gives it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from mtlrun.cli.folders import refuse_used
from mtlrun.cli.run import as_in_the_command
from mtlrun.cli.terminal import complain
from mtlrun.config.saved import change, load_config, recorded
from mtlrun.config.whereabouts import find_files, look_in
from mtlrun.errors import ConfigError
from mtlrun.experiment.objective import Objective, objective_value
from mtlrun.experiment.run import run, verdict
from mtlrun.runs.folder import RunFolder, claim
from mtlrun.runs.lock import FolderLock
from mtlrun.runs.reader import Run
from mtlrun.runs.restarts import goes_on

GOES_ON, STARTS_AFRESH, NEW = "goes on", "starts afresh", "starts"


class Plan(NamedTuple):
    """What is done with a job: its number in the sweep, and one of the words above.

    start: the folder that it was started from: users' own classes, and files that a job names, are looked for there.
    seen: its `run.json` when this was decided.
    """

    number: int
    action: str
    start: Path | None
    seen: dict[str, Any]


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
    look_in(plan.start)
    try:
        if plan.action != GOES_ON:
            refuse_used(path)  # jobs wait in queues: somebody else may have started this one
        resume = plan.action == GOES_ON or goes_on(path)
        if plan.action == NEW and not resume:
            _write_down(path, plan)
            find_files(config, plan.start or Path.cwd())
        else:
            config = load_config(path)
        if changes:
            config = change(config, changes)
        folder = RunFolder(path)
        with recorded(folder, changes):
            summary = run(config, folder, command, resume=resume, checked=plan.action != NEW, alone=False)
        return objective_value(summary, config.objective)
    except Exception as error:
        complain(verdict(error, path)[1], f"job {plan.number}: ")
        return None


def put_aside(folder: Path, seen: Mapping[str, Any]) -> None:
    """Move what a job has left into `attempts/1`, `attempts/2`, ... in its folder: a run to look at, as it was.

    Args:
        folder: of the job.
        seen: its `run.json` when the command decided to do so.

    Raises:
        ConfigError: if somebody else has started the job since then: nothing is moved.
    """
    lock = FolderLock(folder)
    if not lock.acquire():
        raise ConfigError(f"{folder} is running by now: somebody else has started it again")
    try:
        if Run(folder).info != seen:
            raise ConfigError(f"{folder} is another attempt by now: somebody else has started it again")
        _move(folder)
    finally:
        lock.release()


def _move(folder: Path) -> None:
    aside = claim(folder / "attempts" / str(len([*(folder / "attempts").glob("*/")]) + 1))
    shutil.copytree(folder / ".hydra", aside / ".hydra")
    for entry in folder.iterdir():
        if entry.name not in (".hydra", ".lock", "attempts"):
            os.replace(entry, aside / entry.name)


def _write_down(folder: Path, plan: Plan) -> None:
    """Write down the job's number in its sweep, since launchers count those that they are given, and where it began."""
    file = folder / ".hydra" / "hydra.yaml"
    saved = OmegaConf.load(file)
    saved.hydra.job.num = plan.number
    if plan.start is not None:
        saved.hydra.runtime.cwd = str(plan.start)
    OmegaConf.save(saved, file)
