"""Checkpoints: tensors and plain values only, replaced atomically, loaded without unpickling code.

What a checkpoint holds is everything that the rest of the run depends on, and nothing of one process alone.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from mtlrun.atomic import complete_file
from mtlrun.errors import MtlrunError, ResumeError
from mtlrun.sharing.backbone_paths import backbone_paths
from mtlrun.training.devices import rng_state, set_rng_state
from mtlrun.training.model import MultiTaskModel

_SAID = {"model": "network"}  # what a part of a checkpoint is called in messages, if not by its own name
_REMEDIES = {
    "optimizer": ": keep the learning rates per part, optimizer.backbone_lr, sharing_lr and head_lr, as they were"
}


class Stateful(Protocol):
    """Whatever changes from step to step, and can go on exactly where it was: modules, optimizers, balancers, ..."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


class RandomState:
    """Torch's global generators."""

    def state_dict(self) -> dict[str, Any]:
        return rng_state()

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        set_rng_state(state)


def states(parts: Mapping[str, Stateful]) -> dict[str, Any]:
    """The state of every part, by its name."""
    return {name: part.state_dict() for name, part in parts.items()}


def restore(parts: Mapping[str, Stateful], saved: Mapping[str, Any], path: Path) -> None:
    """Put parts into the states that were read from `path`; other entries of the checkpoint are not for them.

    Raises:
        ResumeError: if the configuration builds other parts than the checkpoint holds.
    """
    for name, part in parts.items():
        if name not in saved:
            raise ResumeError(f"{path} holds no '{name}': another version of mtlrun has written it")
        load_part(name, part, saved[name], path)


def load_part(name: str, part: Stateful, state: dict[str, Any], path: Path) -> None:
    """Load one part's state, all of it and nothing else.

    Raises:
        ResumeError: if it is that of another configuration.
    """
    try:
        part.load_state_dict(state)
    except MtlrunError:
        raise
    except (RuntimeError, ValueError, KeyError) as error:
        lines = str(error).splitlines()  # torch's first line names only the class
        reason = lines[1].strip() if len(lines) > 1 else str(error)
        found = f"{path} does not fit the {_SAID.get(name, name)} of this configuration ({reason})"
        raise ResumeError(found + _REMEDIES.get(name, "")) from error


def network_state(model: MultiTaskModel) -> dict[str, Any]:
    """The network's tensors by name, the names in the backbone of those that come from one, and the tasks in order.

    By these a run with another sharing scheme, or other tasks, finds what it can start from.
    """
    return {"model": model.state_dict(), "backbone_paths": backbone_paths(model), "tasks": list(model.tasks)}


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that at any moment either the old or the new file is there, whole."""
    with complete_file(path) as file:
        torch.save(state, file)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU.

    Raises:
        ResumeError: if it is absent or damaged.
    """
    if not path.is_file():
        raise ResumeError(f"no checkpoint {path}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, KeyError, pickle.UnpicklingError) as error:
        raise ResumeError(f"{path} is damaged or not a checkpoint of mtlrun ({type(error).__name__})") from error
