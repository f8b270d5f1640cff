"""A network per task whose features are mixed between the stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mtlrun.errors import ConfigError
from mtlrun.options import number, whole
from mtlrun.sharing.base import BackboneFactory, Sharing, last_with_parameters
from mtlrun.sharing.module_names import task_key
from mtlrun.types import Rows, select


class CrossStitch(Sharing):
    """After every stage, each task's features become a learned combination of all tasks' features.

    Misra et al., "Cross-stitch Networks for Multi-task Learning", CVPR 2016, arXiv:1604.03539, eq. 1, with T tasks. The
    paper's 0.9 for a task's own features and 0.1 for the other's start the matrix; more tasks share the 0.1.

    `sluice` cuts the channels into as many subspaces, each mixed with its own weights, as in Ruder et al., "Latent
    Multi-task Architecture Learning", AAAI 2019, arXiv:1705.08142. Left out: their orthogonality constraint
    between the subspaces, and their mixing of layers.

    Every column feeds every task, so all columns see all rows, and only the last matrix has rows of a single task. A
    matrix is kept as one parameter per task, its row.

    Args:
        backbone: builds one backbone; called once per task.
        tasks: names of the tasks.
        identity: initial weight of a task's own features, from 0 to 1; the rest is shared by all others.
        sluice: subspaces of the channels; 1 for plain cross-stitch.

    Raises:
        ConfigError: if an option is out of range, or `sluice` does not divide the channels of some stage.
    """

    def __init__(self, backbone: BackboneFactory, tasks: Sequence[str], identity: float = 0.9, sluice: int = 1) -> None:
        super().__init__(tasks)
        number("sharing.identity", identity, 0, 1)
        self.subspaces = whole("sharing.sluice", sluice)
        columns = {task_key(task): backbone() for task in self.tasks}
        self.features = columns[task_key(self.tasks[0])].features
        for feature in self.features:
            if feature.channels % sluice:
                raise ConfigError(
                    f"sharing.sluice={sluice} must divide the {feature.channels} channels of {feature.name}"
                )
        self._channels = {feature.name: feature.channels for feature in self.features}
        self.columns = nn.ModuleDict({key: column.stages for key, column in columns.items()})
        self.mixing = nn.ModuleDict({feature.name: self._near_identity(identity) for feature in self.features})

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """All columns on all rows; the last matrix mixes for the tasks of `rows` only."""
        outputs: dict[str, list[Tensor]] = {task: [] for task in rows}
        values = [inputs] * len(self.tasks)
        last = self.features[-1].name
        for name in self.mixing:
            columns = torch.stack([stage(value) for stage, value in zip(self._stage(name), values)])
            receivers = tuple(rows) if name == last else self.tasks
            values = self._mix(columns, name, receivers)
            for task, value in zip(receivers, values):
                if task in outputs:
                    outputs[task].append(select(value, rows[task]))
        return outputs

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return [*self.parameters()]
        return [self._rows(self.features[-1].name)[task_key(task)]]

    def last_shared_stage(self) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return []
        return last_with_parameters([self._stage(feature.name) for feature in self.features])

    def ordered_by_task(self) -> list[nn.Parameter]:
        return [*self.mixing.parameters()]

    def _near_identity(self, identity: float) -> nn.ParameterDict:
        """Per task its row of the matrix, [to subspace, from task, from subspace], of sum 1 for each subspace."""
        spaces, tasks = self.subspaces, len(self.tasks)
        others = tasks * spaces - 1
        weights = torch.full((tasks, spaces, tasks, spaces), (1 - identity) / max(others, 1))
        own = torch.arange(tasks)[:, None], torch.arange(spaces)
        weights[own[0], own[1], own[0], own[1]] = identity if others else 1.0
        return nn.ParameterDict({task_key(task): nn.Parameter(row.clone()) for task, row in zip(self.tasks, weights)})

    def _mix(self, columns: Tensor, name: str, receivers: Sequence[str]) -> list[Tensor]:
        """Columns [T, B, C, ...] -> per receiver [B, C, ...]; what columns carry beside features is the same in all."""
        columns, carried = columns.tensor_split([self._channels[name]], 2)
        weights = torch.stack([self._rows(name)[task_key(task)] for task in receivers])
        spaces = columns.unflatten(2, (self.subspaces, -1))
        mixed = torch.einsum("tsur,ubr...->tbs...", weights.to(columns.dtype), spaces)
        features = [*mixed.flatten(2, 3)]
        return [torch.cat([own, carried[0]], 1) for own in features] if carried.shape[2] else features

    def _stage(self, name: str) -> list[nn.Module]:
        """The stage of every column."""
        return [cast(nn.ModuleDict, column)[name] for column in self.columns.values()]

    def _rows(self, name: str) -> nn.ParameterDict:
        return cast(nn.ParameterDict, self.mixing[name])
