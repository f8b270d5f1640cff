"""Parameter groups: which part of the network learns at which rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from mtlrun.errors import ConfigError, choose
from mtlrun.gradients.base import trainable
from mtlrun.options import not_negative
from mtlrun.sharing.backbone_paths import from_backbone
from mtlrun.training.model import MultiTaskModel


def parameter_groups(
    model: MultiTaskModel,
    head_lr: Mapping[str, float] | None = None,
    backbone_lr: float | None = None,
    sharing_lr: float | None = None,
) -> list[dict[str, Any]]:
    """One group for everything without a learning rate of its own, then one for each part that has one.

    Args:
        head_lr: task name -> learning rate of its head.
        backbone_lr: of the backbone's stages, in every copy of them.
        sharing_lr: of what the sharing scheme adds to them.

    Raises:
        ConfigError: for an unknown task, a rate that is no number >= 0 or that nothing has, or if nothing can learn.
    """
    if not trainable(model.parameters()):
        raise ConfigError("nothing is left to train: all parameters are frozen")
    modules = [module for _, _, module in from_backbone(model.sharing)]
    backbone = {id(tensor) for module in modules for tensor in module.parameters(recurse=False)}
    stages: list[nn.Parameter] = []
    added: list[nn.Parameter] = []
    for parameter in trainable(model.sharing.parameters()):
        (stages if id(parameter) in backbone else added).append(parameter)
    own = [_group(f"head_lr.{task}", lr, _head(model, task)) for task, lr in (head_lr or {}).items()]
    if sharing_lr is not None:
        own.insert(0, _group("sharing_lr", sharing_lr, added))
    if backbone_lr is not None:
        own.insert(0, _group("backbone_lr", backbone_lr, stages))
    taken = {id(parameter) for group in own for parameter in group["params"]}
    rest = [parameter for parameter in trainable(model.parameters()) if id(parameter) not in taken]
    return [{"params": rest}, *own] if rest else own


def _head(model: MultiTaskModel, task: str) -> list[nn.Parameter]:
    head = model.head(choose(task, model.tasks, "task in optimizer.head_lr named"))
    return trainable(head.parameters())


def _group(option: str, lr: float, parameters: list[nn.Parameter]) -> dict[str, Any]:
    not_negative(f"optimizer.{option}", lr)
    if not parameters:
        raise ConfigError(f"optimizer.{option}={lr} has no effect: nothing that is trained belongs to it")
    return {"params": parameters, "lr": float(lr)}


def check_rates_kept(before: Sequence[float], after: Sequence[float]) -> None:
    """Raise ConfigError if a scheduler has given all groups one rate where the optimizer had several."""
    if len(set(before)) > 1 and len(set(after)) == 1 and after[0]:
        raise ConfigError(
            "this scheduler gives all parameters one learning rate: leave out optimizer.head_lr, backbone_lr and "
            "sharing_lr, or choose another scheduler"
        )
