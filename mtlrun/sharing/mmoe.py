"""Experts that all tasks share, weighed for each task by a gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from mtlrun.options import whole
from mtlrun.sharing.base import BackboneFactory, Sharing, last_with_parameters
from mtlrun.sharing.experts import run_stages, trunk_and_experts
from mtlrun.sharing.module_names import task_key
from mtlrun.sharing.softmax_gate import SoftmaxGate, mix
from mtlrun.types import Rows, select


class MMoE(Sharing):
    """Each task's features are a mixture of experts, with weights that its gate computes for every row.

    Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts", KDD 2018,
    doi:10.1145/3219819.3220007, eq. 6 to 8. Experts are the stages after `split`; a head that reads several stages gets
    each of them mixed with the same weights. The gate reads the trunk's output where the paper's reads the input.

    Args:
        backbone: builds one backbone; called once per expert.
        tasks: names of the tasks.
        split: the last stage before the experts; None for the first of all.
        experts: number of experts.

    Raises:
        ConfigError: for a wrong number of experts, an unknown stage, or one that leaves none for the experts.
    """

    def __init__(
        self, backbone: BackboneFactory, tasks: Sequence[str], split: str | None = None, experts: int = 4
    ) -> None:
        super().__init__(tasks)
        parts = trunk_and_experts(backbone, split, whole("sharing.experts", experts))
        self.features, self.trunk = parts.features, parts.trunk
        self.experts = nn.ModuleList(parts.experts)
        self.gating = nn.ModuleDict(
            {task_key(task): self.make_gate(parts.gate_channels, experts) for task in self.tasks}
        )
        self._weights: dict[str, Tensor] = {}

    def make_gate(self, channels: int, experts: int) -> nn.Module:
        """Maps values [n, channels] or [n, channels, H, W] to weights [n, experts]."""
        return SoftmaxGate(channels, experts)

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """Trunk and experts see all rows once; a gate sees its task's rows."""
        trunk = run_stages(self.trunk, inputs)
        experts = [run_stages(cast(nn.ModuleDict, expert), trunk[-1]) for expert in self.experts]
        found = {}
        for task in rows:
            shared = [select(output, rows[task]) for output in trunk]
            weights = self.gating[task_key(task)](shared[-1])
            self._weights[task] = weights.detach().mean(0)
            found[task] = shared + [
                mix(weights, [select(output, rows[task]) for output in stage], feature)
                for feature, stage in zip(self.features[len(trunk) :], zip(*experts))
            ]
        return found

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        return [*self.parameters()] if len(self.tasks) == 1 else [*self.gating[task_key(task)].parameters()]

    def last_shared_stage(self) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return []
        experts = [cast(nn.ModuleDict, expert).values() for expert in self.experts]
        return last_with_parameters([[stage] for stage in self.trunk.values()] + [[*stage] for stage in zip(*experts)])

    def gates(self) -> dict[str, Tensor]:
        return dict(self._weights)
