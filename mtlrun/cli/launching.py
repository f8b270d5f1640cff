"""Launchers and sweepers of Hydra's plugins: our ready options for them, what they need, each job's threads."""

from __future__ import annotations

import logging
import os
import re
from importlib.util import find_spec
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, ListConfig, OmegaConf

from mtlrun.cli.slurm import watch_the_queue
from mtlrun.config.check import objective_names
from mtlrun.config.words import as_typed
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

_GROUPS = ("launcher", "sweeper")
_LAUNCHING = re.compile(r"[+~]*hydra[./](launcher|sweeper)\b")
_SHARES_THIS_MACHINE = ("joblib", "submitit_local", "ray")
"""Launchers that start several jobs on one machine, which would each take all of its cores."""


def prefer_ready_options() -> None:
    """Let conf/hydra/launcher/joblib.yaml and its like stand before the plugins' own options of the same name.

    Those keep the types of every setting: they move to the group `plugins`, and ours start from them. Hydra would take
    two options of one name for a file and its schema.
    """
    Plugins.instance()  # loads the plugins that are installed
    logging.getLogger("alembic").setLevel(logging.WARNING)  # Optuna's: it tells of each plugin of its own
    store = ConfigStore.instance()
    for group in _GROUPS:
        known = store.repo.get("hydra", {}).get(group, {})
        for path in (CONF / "hydra" / group).glob("*.yaml"):
            node = known.pop(path.name, None)
            if node is not None:
                if "defaults" in node.node:
                    node.node.defaults = []  # ours has them, since they name groups beside it
                store.store(path.stem, node.node, f"plugins/{group}", node.package, node.provider)


def leave_to_the_sweep(config: DictConfig) -> None:
    """Keep the choice of launcher and sweeper out of what jobs are composed from: a job has no use for it.

    A launcher's process loads its plugin in an order of its own, and would meet both the plugin's option and ours.
    """
    if all(config.hydra.runtime.choices[f"hydra/{group}"] == "basic" for group in _GROUPS):
        return
    words = [word for word in as_typed(config.hydra.overrides.hydra) if not _LAUNCHING.match(word)]
    config.hydra.overrides.hydra = [*words, *(f"hydra/{group}=basic" for group in _GROUPS)]


def check_plugins(hydra: Any) -> None:
    """Raise ConfigError for a launcher or sweeper that is not installed.

    Args:
        hydra: the node of that name.
    """
    for group in _GROUPS:
        option, target = hydra.runtime.choices[f"hydra/{group}"], str(hydra[group].get("_target_"))
        package = ".".join(target.split(".")[:2])
        if target.startswith("hydra_plugins.") and not _installed(package):
            extra = option.partition("_")[0]
            raise ConfigError(f"hydra/{group}={option} is not installed: pip install 'mtlrun[{extra}]'")
    if hydra.runtime.choices["hydra/launcher"] == "submitit_slurm":
        watch_the_queue()


def check_directions(config: DictConfig) -> None:
    """Raise ConfigError where a sweeper would look for the worst: every objective is told so that higher is better."""
    direction = config.hydra.sweeper.get("direction")
    if direction is None:
        return
    found = [_name(entry) for entry in (direction if OmegaConf.is_list(direction) else [direction])]
    expected = directions(config.objective)
    wanted = [expected] if isinstance(expected, str) else expected
    if found != wanted:
        raise ConfigError(
            f"hydra.sweeper.direction={','.join(found)}: leave it out, it is maximize for each of {len(wanted)} "
            "objective(s), of which those that are better when lower are told with a minus"
        )


def directions(objective: Any) -> str | list[str]:
    """'maximize', once for each objective of a list."""
    return "maximize" if isinstance(objective, str) else ["maximize"] * len(objective_names(objective))


def threads_per_job(config: DictConfig, jobs: int | None) -> int | None:
    """Threads for each of the jobs that share this machine; None where a job has it alone, or the user has decided.

    Args:
        config: of the sweep, with its `hydra` node.
        jobs: their number, if it is known.
    """
    launcher, sweeper = config.hydra.launcher, config.hydra.sweeper
    if config.hydra.runtime.choices["hydra/launcher"] not in _SHARES_THIS_MACHINE or "OMP_NUM_THREADS" in os.environ:
        return None
    bounds = [launcher.get("n_jobs"), jobs if jobs is not None else sweeper.get("n_jobs")]
    at_once = min([cores(), *(bound for bound in bounds if isinstance(bound, int) and bound > 0)])
    return max(1, cores() // (at_once * max(1, config.trainer.devices)))


def cores() -> int:
    """Of this machine, as far as this process may use them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def _name(direction: Any) -> str:
    """'maximize' of the text, or of the member of Optuna's enumeration."""
    return str(getattr(direction, "name", direction)).lower()


def _directions(objective: Any) -> Any:
    found = directions(objective)
    return found if isinstance(found, str) else ListConfig(found)


OmegaConf.register_new_resolver("mtlrun_jobs", lambda most: min(int(most), cores()), replace=True)
OmegaConf.register_new_resolver("mtlrun_directions", _directions, replace=True)
