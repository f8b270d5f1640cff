"""Kinds of tasks that the configuration names, for data whose labels are read by kind."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf, open_dict

from mtlrun.tasks.classification import Classification
from mtlrun.tasks.multilabel import MultiLabel
from mtlrun.tasks.regression import Regression
from mtlrun.tasks.segmentation import Segmentation

BASES = (Classification, MultiLabel, Regression, Segmentation)
OTHER = "Other"

Given = Mapping[Any, Mapping[str, Any] | None]
"""Per task what task.tasks says of it."""


def data_with_kinds(config: DictConfig, given: Given) -> DictConfig:
    """The data's node; one that has the option `kinds` gets those that `given` names, over its own."""
    node = config.data
    if "kinds" not in node:
        return node
    node = node.copy()
    OmegaConf.set_readonly(node, False)
    targets = {task: kind["_target_"] for task, kind in given.items() if kind and "_target_" in kind}
    with open_dict(node):
        node.kinds = {**(node.kinds or {}), **{str(task): base_of(target) for task, target in targets.items()}} or None
    return node


def base_of(target: str) -> str:
    """The name of the kind that a class is or refines, whose form of labels it takes; OTHER for any other class."""
    named = class_of(target)
    return next((base.__name__ for base in BASES if named is not None and issubclass(named, base)), OTHER)


def taken(target: str, inferred: Mapping[str, Any]) -> dict[str, Any]:
    """What the data says of a task that the class `target` can be told: nothing unless it refines the data's kind."""
    if "_target_" not in inferred:
        return {}
    named, base = class_of(target), class_of(inferred["_target_"])
    if named is None or base is None or not issubclass(named, base):
        return {}
    words = inspect.signature(named).parameters
    return {key: value for key, value in inferred.items() if key in words}


def class_of(target: str) -> type | None:
    """The class of that name; None if there is none, which is said where the task is built."""
    try:
        found = get_object(target)
    except Exception:  # whatever its module raises while it is imported
        return None
    return found if isinstance(found, type) else None
