"""The typed root of the configuration. Hydra checks every YAML, users' own included, against it.

No torch here. Open groups (`Dict[str, Any]`) hold a `_target_` and the arguments of whatever class it names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Dict, List, Optional  # noqa: UP035 (OmegaConf reads these at run time)

from omegaconf import MISSING, DictConfig, OmegaConf

from mtlrun.training.settings import DiagnosticsSettings, TrainerSettings, setting


@dataclass
class TaskSet:
    name: str = MISSING
    # task name -> arguments of its kind, with _target_
    tasks: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    # whether the data may bring further tasks, which are not listed here
    inferred: bool = False


@dataclass
class Root:
    seed: int = setting(0, "of the network, the order of the rows and every random draw", 0)
    # names of the tasks to train; null for all of the task set
    tasks: Optional[List[str]] = None  # noqa: UP006, UP045
    # run folder (its best checkpoint) or checkpoint file to start from; null for fresh weights
    init_from: Optional[str] = None  # noqa: UP045
    # resume, eval and init_from refuse a checkpoint of other data, or of rows that are tested now; true: go on
    allow_other_data: bool = False
    # what does not learn: 'backbone', or a list of its stages; null for nothing
    freeze: Any = None
    # what a sweeper such as Optuna maximises: 'score', 'TASK/METRIC', or a list of these
    objective: Any = "score"
    task: TaskSet = field(default_factory=TaskSet)
    data: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    backbone: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    sharing: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    sampler: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    balancer: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    optimizer: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    scheduler: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    diagnostics: DiagnosticsSettings = field(default_factory=DiagnosticsSettings)
    logger: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006


@cache
def typed_root() -> DictConfig:
    """The root as OmegaConf sees it, made once: every job of a sweep is compared with it. Not to be changed."""
    return OmegaConf.structured(Root)


SCHEMA = "mtl_schema"
"""Name of the root's entry in the defaults list of config.yaml."""


def register_schema() -> None:
    """Make the root known to Hydra, so that every YAML and every override is checked against it."""
    from hydra.core.config_store import ConfigStore  # here, since verbs need no Hydra

    store = ConfigStore.instance()
    if f"{SCHEMA}.yaml" not in store.repo:  # each job of a sweep asks for it
        store.store(name=SCHEMA, node=Root)
