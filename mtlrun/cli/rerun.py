"""`mtlrun rerun SWEEP [--failed|--unfinished|--all] [--dry-run] [key=value ...]`: finish a sweep in its own folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra.core.plugins import Plugins
from hydra.types import HydraContext

from mtlrun.cli.again import GOES_ON, NEW, STARTS_AFRESH, Plan, again, put_aside
from mtlrun.cli.folders import LightResults, RunFolders
from mtlrun.cli.launching import leave_to_the_sweep
from mtlrun.cli.run import attempt, close_sweep, raw_errors
from mtlrun.cli.sweep import Job, Sweep
from mtlrun.config.saved import change, is_longer, load_config
from mtlrun.config.whereabouts import look_in, started_in
from mtlrun.config.words import quoted_text
from mtlrun.errors import ConfigError
from mtlrun.lines import path_from_here
from mtlrun.runs.reader import Run

USAGE = "mtlrun rerun SWEEP [--failed|--unfinished|--all] [--dry-run] [key=value ...]"
_CHOSEN = {
    None: ("failed", "interrupted", None),
    "--failed": ("failed",),
    "--unfinished": ("interrupted", None),
    "--all": ("failed", "interrupted", None, "finished"),
}
"""Flag -> statuses of the jobs that run again; None for a job that never started."""


def main(arguments: list[str]) -> int:
    """Run the unfinished jobs of the sweep that the first argument names; return the exit code."""
    flags, words = _read(arguments)
    hydra_words = [word for word in words[1:] if word.lstrip("+~").startswith(("hydra.", "hydra/"))]
    changes = [word for word in words[1:] if word not in hydra_words]
    statuses = _CHOSEN[next((flag for flag in flags if flag != "--dry-run"), None)]
    folder = Path(words[0])

    def chosen(job: Job) -> bool:
        return Run(job.folder).status in statuses

    return rerun_jobs(folder, changes, hydra_words, chosen, dry_run="--dry-run" in flags)


def rerun_jobs(
    folder: Path,
    changes: Sequence[str],
    hydra_words: Sequence[str],
    chosen: Callable[[Job], bool],
    dry_run: bool = False,
    show: bool = True,
) -> int:
    """Run the chosen jobs of a sweep again, each as `mtlrun rerun` does; return the exit code.

    Args:
        folder: of the sweep.
        changes: settings to change in each of them.
        hydra_words: settings of the node `hydra`.
        chosen: which jobs.
        dry_run: only say what would be done.
        show: print the report at the end; it is written in any case.
    """
    code = 0
    RunFolders.sweeps.append(folder)
    with raw_errors(), Sweep(folder, hydra_words) as sweep:
        jobs = [*sweep.jobs()]
        plans = _plans(sweep, jobs, chosen, changes)
        for job in jobs:
            print(_line(job, plans.get(job.number)))
        if dry_run:
            return 0
        if plans:
            code = attempt(partial(_launch, sweep, [job for job in jobs if job.number in plans], plans, changes))
        unfinished = [job for job in jobs if Run(job.folder).status != "finished"]
    return close_sweep(sweep.folder, code, show) or int(bool(unfinished))


def _read(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Flags, and the other words, of which the first is the sweep."""
    flags = [word for word in arguments if word.startswith("--")]
    words = [word for word in arguments if not word.startswith("--")]
    if len({*flags} - {"--dry-run"}) > 1:
        raise ConfigError(f"{' '.join(flags)}: choose one of them")
    if not words or ("=" in words[0].rpartition("/")[2] and not Path(words[0]).is_dir()):
        raise ConfigError(f"name the sweep: {USAGE}")
    return flags, words


def _plans(sweep: Sweep, jobs: Sequence[Job], chosen: Callable[[Job], bool], changes: Sequence[str]) -> dict[int, Plan]:
    """What is to be done with each chosen job, by its number.

    Raises:
        ConfigError: for a sweep that still runs, or a change that some job cannot take; nothing is touched yet.
    """
    statuses = {job.number: Run(job.folder).status for job in jobs}
    for job in jobs:
        if statuses[job.number] == "running":
            raise ConfigError(f"{job.folder} is still running: wait for the sweep to end, or stop it first")
    return {job.number: _plan(sweep, job, statuses[job.number], changes) for job in jobs if chosen(job)}


def _plan(sweep: Sweep, job: Job, status: str | None, changes: Sequence[str]) -> Plan:
    start, seen = started_in(job.folder) or sweep.started_in, Run(job.folder).info
    look_in(start)
    if not (job.folder / ".hydra" / "config.yaml").is_file():
        return Plan(job.number, NEW, start, seen)
    before = load_config(job.folder)
    changed = change(before, changes)
    goes_on = status == "interrupted" or (status == "finished" and is_longer(changed, before))
    return Plan(job.number, GOES_ON if goes_on else STARTS_AFRESH, start, seen)


def _line(job: Job, plan: Plan | None) -> str:
    words = Run(job.folder).status or "never started"
    return f"{job.folder.name}: {words}{'' if plan is None else f', {plan.action}'}"


def _launch(sweep: Sweep, jobs: Sequence[Job], plans: dict[int, Plan], changes: Sequence[str]) -> None:
    """Hand the jobs to the sweep's launcher, together."""
    for job in jobs:
        if plans[job.number].action == STARTS_AFRESH:
            put_aside(job.folder, plans[job.number].seen)
    command = ("mtlrun", "rerun", str(path_from_here(sweep.folder)), *changes)
    leave_to_the_sweep(sweep.config)
    callbacks = Callbacks()
    callbacks.callbacks.append(LightResults())
    by_folder = {sweep.name(job): plans[job.number] for job in jobs}
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=HydraContext(config_loader=sweep.loader, callbacks=callbacks),
        task_function=partial(again, plans=by_folder, changes=tuple(changes), command=command),
        config=sweep.config,
    )
    launcher.launch([_overrides(sweep, job, plans[job.number]) for job in jobs], initial_job_idx=0)


def _overrides(sweep: Sweep, job: Job, plan: Plan) -> list[str]:
    """The job's own, its folder, and that Hydra leaves the configuration there as it is."""
    kept = [] if plan.action == NEW else ["hydra.output_subdir=null"]
    return [*job.overrides, f"hydra.sweep.subdir={quoted_text(sweep.name(job))}", *kept]
