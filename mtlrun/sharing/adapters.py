"""One body with small layers of each task's own added to it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mtlrun.options import flag, whole
from mtlrun.sharing.base import BackboneFactory, Sharing
from mtlrun.sharing.module_names import task_key
from mtlrun.sharing.shapes import changed, pointwise
from mtlrun.types import Feature, Rows, select

NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)


class Adapters(Sharing):
    """h + A(h) after every stage of a shared body, with a linear A at every pixel that is the task's own.

    Rebuffi et al., "Learning multiple visual domains with residual adapters", NeurIPS 2017, arXiv:1705.08045. As there,
    normalisation layers are the task's own too (scale, shift and running statistics), and A starts at 0. Deviation: one
    adapter per stage instead of one per convolution. Each task takes a pass of its own through the body.

    Args:
        backbone: builds the body; give it `weights` if it is to be frozen.
        tasks: names of the tasks.
        freeze: keep the shared body as it is; only adapters, normalisation layers and heads learn.
        bottleneck: channels between two factors of A, for large bodies; None for one full matrix as in the paper.

    Raises:
        ConfigError: if an option is of the wrong kind.
    """

    def __init__(
        self, backbone: BackboneFactory, tasks: Sequence[str], freeze: bool = False, bottleneck: int | None = None
    ) -> None:
        super().__init__(tasks)
        flag("sharing.freeze", freeze)
        if bottleneck is not None:
            whole("sharing.bottleneck", bottleneck)
        network = backbone()
        self.features = network.features
        shared = _all_but_norms(network.stages)
        for parameter in shared.values():
            parameter.requires_grad_(parameter.requires_grad and not freeze)
        self.bodies, self.adapters = nn.ModuleDict(), nn.ModuleDict()
        for number, task in enumerate(self.tasks):
            # deepcopy takes what is in its memo as already copied: bodies differ in their normalisation layers alone
            self.bodies[task_key(task)] = deepcopy(network.stages, dict(shared)) if number else network.stages
            self.adapters[task_key(task)] = nn.ModuleDict(
                {feature.name: _adapter(feature, bottleneck) for feature in self.features}
            )

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """A pass per task, over its rows."""
        return {task: self._adapted(task, select(inputs, rows[task])) for task in rows}

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return [*self.parameters()]
        body, shared = self._body(task), _all_but_norms(self._body(task))
        norms = [parameter for parameter in body.parameters() if id(parameter) not in shared]
        return [*norms, *self.adapters[task_key(task)].parameters()]

    def last_shared_stage(self) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return []
        stages = [_all_but_norms(stage) for stage in self._body(self.tasks[0]).values()]
        return next(([*stage.values()] for stage in reversed(stages) if stage), [])

    def _adapted(self, task: str, values: Tensor) -> list[Tensor]:
        outputs = []
        adapters = cast(nn.ModuleDict, self.adapters[task_key(task)])
        for feature, stage in zip(self.features, self._body(task).values()):
            values = changed(stage(values), feature, partial(_adapted_by, adapters[feature.name]))
            outputs.append(values)
        return outputs

    def _body(self, task: str) -> nn.ModuleDict:
        return cast(nn.ModuleDict, self.bodies[task_key(task)])


def _adapted_by(adapter: nn.Module, values: Tensor) -> Tensor:
    return values + adapter(values)


def _all_but_norms(module: nn.Module) -> dict[int, nn.Parameter]:
    """The parameters that do not belong to normalisation layers, by their id."""
    layers = [layer for layer in module.modules() if not isinstance(layer, NORMS)]
    return {id(parameter): parameter for layer in layers for parameter in layer.parameters(recurse=False)}


def _adapter(feature: Feature, bottleneck: int | None) -> nn.Module:
    """A linear map of the channels that starts at 0."""
    channels = feature.channels
    last = pointwise(bottleneck or channels, channels, feature, bias=False)
    nn.init.zeros_(last.weight)
    return last if bottleneck is None else nn.Sequential(pointwise(channels, bottleneck, feature, bias=False), last)
