"""Experts of each task's own beside shared ones, weighed by a gate per task."""

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


class CGC(Sharing):
    """Customized gate control: a task's gate weighs its own experts and the shared ones, in this order.

    Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for Personalized
    Recommendations", RecSys 2020, doi:10.1145/3383313.3412236, section 4. Experts are all stages after `split`; a head
    that reads several stages gets each of them mixed with the same weights. The gate reads the trunk's output where the
    paper's reads the input.

    Args:
        backbone: builds one backbone; called once per expert.
        tasks: names of the tasks.
        split: the last stage before the experts; None for the first of all.
        task_experts: number of experts of each task.
        shared_experts: number of experts that all tasks share.

    Raises:
        ConfigError: for a wrong number of experts, an unknown stage, or one that leaves none for the experts.
    """

    def __init__(
        self,
        backbone: BackboneFactory,
        tasks: Sequence[str],
        split: str | None = None,
        task_experts: int = 1,
        shared_experts: int = 1,
    ) -> None:
        super().__init__(tasks)
        own, shared = whole("sharing.task_experts", task_experts), whole("sharing.shared_experts", shared_experts)
        parts = trunk_and_experts(backbone, split, shared + own * len(self.tasks))
        self.features, self.trunk = parts.features, parts.trunk
        self.shared = nn.ModuleList(parts.experts[:shared])
        self.own, self.gating = nn.ModuleDict(), nn.ModuleDict()
        for number, task in enumerate(self.tasks):
            first = shared + own * number
            self.own[task_key(task)] = nn.ModuleList(parts.experts[first : first + own])
            self.gating[task_key(task)] = SoftmaxGate(parts.gate_channels, own + shared)
        self._weights: dict[str, Tensor] = {}

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """Trunk and shared experts see all rows once; a task's experts and gate see its rows."""
        trunk = run_stages(self.trunk, inputs)
        shared = [run_stages(expert, trunk[-1]) for expert in _experts(self.shared)]
        found = {}
        for task in rows:
            before = [select(output, rows[task]) for output in trunk]
            weights = self.gating[task_key(task)](before[-1])
            self._weights[task] = weights.detach().mean(0)
            experts = [run_stages(expert, before[-1]) for expert in _experts(self.own[task_key(task)])]
            experts += [[select(output, rows[task]) for output in outputs] for outputs in shared]
            after = self.features[len(before) :]
            found[task] = before + [mix(weights, stage, feature) for feature, stage in zip(after, zip(*experts))]
        return found

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return [*self.parameters()]
        return [*self.own[task_key(task)].parameters(), *self.gating[task_key(task)].parameters()]

    def last_shared_stage(self) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return []
        experts = [expert.values() for expert in _experts(self.shared)]
        return last_with_parameters([[stage] for stage in self.trunk.values()] + [[*stage] for stage in zip(*experts)])

    def gates(self) -> dict[str, Tensor]:
        return dict(self._weights)


def _experts(modules: nn.Module) -> list[nn.ModuleDict]:
    return [cast(nn.ModuleDict, expert) for expert in cast(nn.ModuleList, modules)]
