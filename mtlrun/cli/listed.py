"""A sweep whose jobs are listed one by one: checked, launched, continued and watched like any other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from hydra.version import setbase
from omegaconf import OmegaConf

from mtlrun.cli.folders import RunFolders
from mtlrun.cli.launching import prefer_ready_options
from mtlrun.cli.run import attempt, close_sweep, job, raw_errors
from mtlrun.cli.sweep import jobs, list_jobs
from mtlrun.config.schema import register_schema
from mtlrun.paths import CONF


def train_listed(listed: Sequence[Sequence[str]], hydra_words: Sequence[str] = ()) -> int:
    """Train each job, in one sweep folder and through the launcher that `hydra_words` choose; return the exit code.

    Args:
        listed: the settings of each job.
        hydra_words: settings of the node `hydra`, such as 'hydra/launcher=joblib'.
    """
    before = len(RunFolders.sweeps)
    with raw_errors():
        code = attempt(partial(_launch, listed, hydra_words))
    sweeps = RunFolders.sweeps[before:]
    return close_sweep(sweeps[-1], code, show=False) if sweeps else code


def _launch(listed: Sequence[Sequence[str]], hydra_words: Sequence[str]) -> None:
    register_schema()
    prefer_ready_options()
    setbase("1.3")
    hydra = Hydra.create_main_hydra2("mtlrun", create_config_search_path(str(CONF)))
    try:
        # By the first of these words a job knows that it is one. None of the jobs' own: what they share need not be a
        # setting of anything before one of them has chosen its experiment.
        config = hydra.compose_config("config", ["hydra.mode=MULTIRUN", *hydra_words], RunMode.MULTIRUN)
        list_jobs(config, listed)
        RunFolders().on_multirun_start(config)
        OmegaConf.save(config, Path(str(config.hydra.sweep.dir)) / "multirun.yaml")
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks()),
            task_function=job,
            config=config,
        )
        launcher.launch(jobs(config), initial_job_idx=0)
    finally:
        GlobalHydra.instance().clear()
