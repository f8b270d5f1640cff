"""One body whose linear layers have an update of low rank for each task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtlrun.backbones.base import Backbone
from mtlrun.errors import ConfigError, near_miss
from mtlrun.options import flag, number, whole
from mtlrun.sharing.base import BackboneFactory, Sharing
from mtlrun.sharing.module_names import task_key
from mtlrun.types import Rows, select


class LoRA(Sharing):
    """W + (alpha / rank) B A in place of W in chosen linear layers of a shared body, with A and B the task's own.

    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, arXiv:2106.09685, eq. 3; defaults as the
    paper has them for RoBERTa base. B starts at 0, so each task starts with the body. Deviations: A starts as a linear
    layer's weights do, as in the authors' code, where the paper has a Gaussian; the body may learn too; every linear
    layer may be chosen. Running statistics of batch normalisation are each task's own. Each task takes a pass of its
    own through the body.

    Args:
        backbone: builds the body; let it start from weights if it is to be frozen.
        tasks: names of the tasks.
        rank: rows of A and columns of B.
        alpha: strength of the updates.
        layers: ends of the names of the layers, such as query or attention.query; None for all linear layers.
        freeze: keep the shared body as it is; only the updates and the heads learn.

    Raises:
        ConfigError: if an option is of the wrong kind, or no linear layer of the body has such a name.
    """

    def __init__(
        self,
        backbone: BackboneFactory,
        tasks: Sequence[str],
        rank: int = 8,
        alpha: float = 8.0,
        layers: Sequence[str] | None = ("query", "value"),
        freeze: bool = True,
    ) -> None:
        super().__init__(tasks)
        whole("sharing.rank", rank)
        number("sharing.alpha", alpha, 1e-6)
        flag("sharing.freeze", freeze)
        network = backbone()
        self.features = network.features
        chosen = _chosen(network, layers)
        shared = {id(parameter): parameter for parameter in network.parameters()}
        for parameter in shared.values():
            parameter.requires_grad_(parameter.requires_grad and not freeze)
        # deepcopy takes what is in its memo as already copied: bodies have all parameters in common
        others = [deepcopy(network.stages, dict(shared)) for _ in self.tasks[1:]]
        self.bodies = nn.ModuleDict()
        for task, body in zip(self.tasks, [network.stages, *others]):
            for path in chosen:
                parent, _, name = path.rpartition(".")
                layer = cast(nn.Linear, body.get_submodule(path))
                setattr(body.get_submodule(parent), name, _Updated(layer, rank, alpha))
            self.bodies[task_key(task)] = body

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """A pass per task, over its rows."""
        return {task: self._pass(task, select(inputs, rows[task])) for task in rows}

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        return [*self.parameters()] if len(self.tasks) == 1 else _updates(self.bodies[task_key(task)])

    def last_shared_stage(self) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return []
        own = {id(parameter) for task in self.tasks for parameter in self.task_parameters(task)}
        stages = [
            [parameter for parameter in stage.parameters() if id(parameter) not in own]
            for stage in self._body(self.tasks[0]).values()
        ]
        return next((stage for stage in reversed(stages) if stage), [])

    def _pass(self, task: str, values: Tensor) -> list[Tensor]:
        outputs = []
        for stage in self._body(task).values():
            values = stage(values)
            outputs.append(values)
        return outputs

    def _body(self, task: str) -> nn.ModuleDict:
        return cast(nn.ModuleDict, self.bodies[task_key(task)])


class _Updated(nn.Module):
    """A linear layer with a task's update of its weights. A network that reads them gets them updated, too."""

    def __init__(self, layer: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.layer, self.scale = layer, alpha / rank
        self.A = nn.Parameter(layer.weight.new_empty(rank, layer.in_features))
        self.B = nn.Parameter(layer.weight.new_zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.A, math.sqrt(5))

    def forward(self, values: Tensor) -> Tensor:
        # h + B A x keeps a small update that W + B A would lose in half precision
        return self.layer(values) + self.scale * functional.linear(functional.linear(values, self.A), self.B)

    @property
    def weight(self) -> Tensor:
        """W + (alpha / rank) B A, [outputs, inputs]."""
        return self.layer.weight + self.scale * torch.matmul(self.B, self.A)

    @property
    def bias(self) -> Tensor | None:
        return self.layer.bias


def _updates(body: nn.Module) -> list[nn.Parameter]:
    """A and B of every layer."""
    return [parameter for layer in body.modules() if isinstance(layer, _Updated) for parameter in (layer.A, layer.B)]


def _chosen(network: Backbone, layers: Sequence[str] | None) -> list[str]:
    """Paths of the linear layers, within the stages, whose names end as one of `layers`.

    Raises:
        ConfigError: if there is none for one of them; the ends that there are are listed.
    """
    paths = [path for path, layer in network.stages.named_modules() if isinstance(layer, nn.Linear)]
    if not paths:
        raise ConfigError("sharing=lora updates linear layers, and this backbone has none: choose sharing=adapters")
    if layers is None:
        return paths
    if isinstance(layers, str) or not layers:
        raise ConfigError(f"sharing.layers must be a list of names such as [query,value], or null, found {layers!r}")
    ends = [*dict.fromkeys(_end(path) for path in paths)]
    for layer in layers:
        if not any(_ends_as(path, layer) for path in paths):
            there = f"(there are: {', '.join(ends)}, or null for all)"
            raise ConfigError(f"no linear layer for sharing.layers '{layer}'{near_miss(layer, ends)} {there}")
    return [path for path in paths if any(_ends_as(path, layer) for layer in layers)]


def _ends_as(path: str, name: str) -> bool:
    return f".{path}".endswith(f".{name}")


def _end(path: str) -> str:
    """The last part of a path; two of them if the last is the number of a layer in a sequence."""
    parts = path.split(".")
    return ".".join(parts[-2:] if parts[-1].isdigit() else parts[-1:])
