"""Hydra callback: refuse a mistake before anything is written, then claim a folder that no other run has."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from mtlrun import torchrun
from mtlrun.cli.launching import check_directions, check_plugins, leave_to_the_sweep, threads_per_job
from mtlrun.cli.sweep import jobs, points, save_sweep
from mtlrun.cli.terminal import remark
from mtlrun.cli.together import refuse_sweep, write_nothing
from mtlrun.commands import command_line, setting_key
from mtlrun.config.composed import check_composed
from mtlrun.config.explain import explain
from mtlrun.config.simplex import expand, refuse_single
from mtlrun.config.words import as_typed, quoted_text
from mtlrun.errors import ConfigError
from mtlrun.runs.folder import claim, made
from mtlrun.runs.restarts import goes_on, restarted_by
from mtlrun.runs.sweeps import knows_its_jobs


class Refused(SystemExit):
    """Carries a mistake out of a callback: Hydra turns every Exception there into a mere warning."""

    def __init__(self, error: Exception) -> None:
        super().__init__(2)
        self.error = error


class LightResults(Callback):
    """Takes the configurations out of what a job returns: a launcher keeps all results, at 0.2 MB a job."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Sweepers read the value and the status alone."""
        job_return.cfg = job_return.hydra_cfg = None


class RunFolders(LightResults):
    """Claims the folder of a run or of a sweep.

    `sweeps` lists the sweep folders claimed in this process, latest last.
    """

    sweeps: list[Path] = []  # noqa: RUF012 (shared on purpose: Hydra makes the object and keeps it to itself)

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # Hydra's interface passes keywords
        """Set `hydra.run.dir` to a folder of the run's own."""
        try:
            refuse_single(as_typed(config.hydra.overrides.task))
            check_composed(config, GlobalHydra.instance().config_loader())
            if torchrun.rank() > 0:
                write_nothing(config)
            else:
                config.hydra.run.dir = str(made(run_folder(config)))
        except Exception as error:
            raise Refused(error) from error

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check every job that is known yet, and set the sweep's folder for all of them."""
        try:
            refuse_sweep()
            check_plugins(config.hydra)
            check_directions(config)
            expand(config)
            _check_jobs(config, GlobalHydra.instance().config_loader())
            if knows_its_jobs(config.hydra) and len(jobs(config)) == 1:
                remark("-m without a list such as seed=0,1: this is a sweep of one job")
            folder = _sweep_folder(config)
            self.sweeps.append(folder)
            _name_jobs_by_what_varies(config)
            _share_cores(config)
            save_sweep(config, folder)
            leave_to_the_sweep(config)
        except Exception as error:
            raise Refused(error) from error


def run_folder(config: DictConfig) -> Path:
    """The folder the user asked for, or else a fresh one.

    Raises:
        ConfigError: if the user's folder holds a run already.
    """
    wanted = _named_folder(config, "hydra.run.dir")
    if not _given(config, "hydra.run.dir"):
        _tell_that_it_begins_anew("hydra.run.dir")
        return claim(wanted.with_name(f"{wanted.name}-{secrets.token_hex(2)}"))
    return refuse_used(wanted)


def _named_folder(config: DictConfig, key: str) -> Path:
    value = OmegaConf.select(config, key)
    if not str(value or "").strip():
        raise ConfigError(f"{key}={'' if value is None else value}: must be the name of a folder")
    return Path(str(value))


def refuse_used(folder: Path) -> Path:
    """The folder; raises ConfigError if it holds a run, unless that is this command's own."""
    if (folder / "run.json").exists() and not goes_on(folder):
        again = command_line("mtlrun", "resume", str(folder))
        raise ConfigError(f"{folder} already holds a run: continue it with {again}, or choose another")
    return folder


def _tell_that_it_begins_anew(key: str) -> None:
    """Where a launcher has started the command once more, and it has no folder in which to find what it began."""
    if restarted_by():
        again = f"a command that is started once more goes on only with {key}=FOLDER"
        remark(f"{restarted_by()[0]} has started this once more, and it begins anew: {again}")


def _check_jobs(config: DictConfig, loader: ConfigLoader) -> None:
    """Compose and check each job that is known; where a sweeper chooses as it goes, samples of what it may choose.

    Raises:
        ConfigError: for the first job with a mistake; it names what the job changes.
    """
    chosen = jobs(config) if knows_its_jobs(config.hydra) else points(config)
    if not chosen:
        raise ConfigError("this sweep has no job: one of its lists or ranges of values is empty")
    known: dict[tuple[str, ...], DictConfig] = {}
    for job in chosen:
        try:
            composed = loader.load_configuration(
                config_name=config.hydra.job.config_name,
                overrides=[*as_typed(config.hydra.overrides.hydra), *job],
                run_mode=RunMode.RUN,
            )
            check_composed(composed, loader, known)
        except Exception as error:
            line = explain(error)
            if line is None:
                raise
            raise ConfigError(f"{line} [in job {' '.join(job)}]") from error


def _sweep_folder(config: DictConfig) -> Path:
    folder = _named_folder(config, "hydra.sweep.dir")
    if _given(config, "hydra.sweep.dir"):
        for job in sorted(folder.glob("*/run.json")):
            refuse_used(job.parent)
        return made(folder)
    _tell_that_it_begins_anew("hydra.sweep.dir")
    folder = claim(folder.with_name(f"{folder.name}-{secrets.token_hex(2)}"))
    # Jobs are composed anew from the list of overrides, so that is where they must find the folder.
    config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted_text(str(folder))}")
    config.hydra.sweep.dir = str(folder)
    return folder


def _name_jobs_by_what_varies(config: DictConfig) -> None:
    """Keep settings that all jobs share out of the names of the job folders."""
    key = "hydra.job.config.override_dirname.exclude_keys"
    fixed = _fixed(config)
    if fixed and not _given(config, key):
        quoted = ",".join(map(quoted_text, fixed))
        config.hydra.overrides.hydra.append(f"{key}=[{quoted}]")


def _fixed(config: DictConfig) -> list[str]:
    """Keys of the settings that all jobs share."""
    if config.hydra.sweeper.get("jobs") is not None:
        first, *others = jobs(config)
        return [setting_key(word) for word in first if all(word in words for words in others)]
    overrides = OverridesParser.create().parse_overrides(as_typed(config.hydra.overrides.task))
    return [override.key_or_group for override in overrides if not override.is_sweep_override()]


def _share_cores(config: DictConfig) -> None:
    """Give the jobs that run on this machine together a part of its cores each."""
    threads = threads_per_job(config, len(jobs(config)) if knows_its_jobs(config.hydra) else None)
    if threads is not None:
        config.hydra.overrides.hydra.append(f"+hydra.job.env_set.OMP_NUM_THREADS='{threads}'")


def _given(config: DictConfig, key: str) -> bool:
    """Whether the command line sets the key."""
    return any(line.lstrip("+").startswith(f"{key}=") for line in as_typed(config.hydra.overrides.hydra))


def job_name(number: int, overrides: str) -> str:
    """The name of a job's folder: its number, and what varies if that is short, such as '3_balancer-pcgrad_seed-1'.

    No shell and no setting such as init_from=... needs quotes around it.
    """
    words = re.split(r",(?![^\[{(]*[\]})])", overrides)  # not at the commas inside of a list
    plain = [re.sub(r"[^\w.+-]+", "-", word.lstrip("+"), flags=re.ASCII).strip("-") for word in words]
    name = "_".join([str(number), *filter(None, plain)])
    return name if len(name) <= 80 else str(number)


OmegaConf.register_new_resolver("mtlrun_job", job_name, replace=True)
