"""Checkpoints: tensors and plain values only, replaced atomically, loaded without unpickling code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtlrun.atomic import complete_file
from mtlrun.errors import ResumeError


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


def load_model(model: nn.Module, state: dict[str, Any], path: Path) -> None:
    """Load a model's weights, all of them and no others.

    Raises:
        ResumeError: if the configuration builds another network than the checkpoint holds.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if len(str(error).splitlines()) > 1 else str(error)
        raise ResumeError(f"{path} does not fit the network of this configuration: {first}") from error


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any], path: Path) -> None:
    """Load an optimizer's state, whose groups of parameters must be those that it was saved with.

    Raises:
        ResumeError: if they are others.
    """
    try:
        optimizer.load_state_dict(state)
    except (ValueError, KeyError) as error:
        raise ResumeError(
            f"{path} does not fit the optimizer of this configuration ({error}): keep the learning rates per part, "
            "optimizer.backbone_lr, sharing_lr and head_lr, as they were"
        ) from error
