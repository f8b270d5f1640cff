"""Task experts and shared experts that are separated level by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from mtlrun.options import whole
from mtlrun.sharing.base import BackboneFactory, Sharing, last_with_parameters
from mtlrun.sharing.experts import TrunkAndExperts, run_stages, trunk_and_experts
from mtlrun.sharing.module_names import task_key
from mtlrun.sharing.softmax_gate import SoftmaxGate, mix
from mtlrun.types import Rows, select


class PLE(Sharing):
    """Progressive layered extraction: every stage after `split` is a level of experts and gates.

    Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for Personalized
    Recommendations", RecSys 2020, doi:10.1145/3383313.3412236, section 4. At each level a task's gate weighs its own
    experts, which read the task's mixture of the level before, and the shared experts, which read the shared mixture.
    The shared mixture is that of a gate over the experts of all tasks and the shared ones; the last level needs none.
    One stage after `split` makes this CGC. The first gates read the trunk's output where the paper's read the input.

    Every task's experts feed the shared mixture, so up to the last level all of them see all rows, and what influences
    one task alone is its part of the last level and its gate of the level before.

    Args:
        backbone: builds one backbone; called once per expert of a level.
        tasks: names of the tasks.
        split: the last stage before the levels; None for the first of all.
        task_experts: number of experts of each task, at each level.
        shared_experts: number of shared experts, at each level.

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
        depth = len(self.trunk)
        self.levels = nn.ModuleDict(
            {
                self.features[stage].name: _Level(parts, self.tasks, stage, own, shared)
                for stage in range(depth, len(self.features))
            }
        )
        self._weights: dict[str, Tensor] = {}

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """Levels before the last see all rows, for all tasks; in the last one a task's experts see its rows."""
        trunk = run_stages(self.trunk, inputs)
        found = {task: [select(output, rows[task]) for output in trunk] for task in rows}
        streams, shared = dict.fromkeys(self.tasks, trunk[-1]), trunk[-1]
        for number, level in enumerate(self._levels(), start=1):
            last = level.shared_gate is None
            if last:
                streams = {task: select(streams[task], rows[task]) for task in rows}
            weights = level.weights(streams)
            streams, shared = level(streams, shared, weights, rows if last else {})
            for task in rows:
                kept = None if last else rows[task]
                found[task].append(select(streams[task], kept))
                self._weights[f"{task}/level{number}"] = select(weights[task].detach(), kept).mean(0)
        return found

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return [*self.parameters()]
        levels = self._levels()
        modules = [levels[-1].own[task_key(task)], *(level.gating[task_key(task)] for level in levels[-2:])]
        return [parameter for module in modules for parameter in module.parameters()]

    def last_shared_stage(self) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return []
        stages: list[list[nn.Module]] = [[stage] for stage in self.trunk.values()]
        for level in self._levels():
            stages.append([level.shared] if level.shared_gate is None else [level.shared, level.own])
        return last_with_parameters(stages)

    def ordered_by_task(self) -> list[nn.Parameter]:
        gates = [level.shared_gate for level in self._levels() if level.shared_gate is not None]
        return [parameter for gate in gates for parameter in gate.parameters()]

    def gates(self) -> dict[str, Tensor]:
        return dict(self._weights)

    def _levels(self) -> list[_Level]:
        return [level for level in self.levels.values() if isinstance(level, _Level)]


class _Level(nn.Module):
    """One stage of every expert, and the gates over them.

    Args:
        parts: trunk and experts: the shared ones first, then each task's.
        tasks: names of the tasks.
        stage: number of the stage in the backbone.
        own, shared: numbers of experts of each task, and of shared ones.
    """

    def __init__(self, parts: TrunkAndExperts, tasks: tuple[str, ...], stage: int, own: int, shared: int) -> None:
        super().__init__()
        channels, self.feature = parts.features[stage - 1].channels, parts.features[stage]
        modules = [expert[parts.features[stage].name] for expert in parts.experts]
        self.shared = nn.ModuleList(modules[:shared])
        self.own, self.gating = nn.ModuleDict(), nn.ModuleDict()
        for number, task in enumerate(tasks):
            first = shared + own * number
            self.own[task_key(task)] = nn.ModuleList(modules[first : first + own])
            self.gating[task_key(task)] = SoftmaxGate(channels, own + shared)
        last = stage == len(parts.features) - 1
        self.shared_gate = None if last else SoftmaxGate(channels, len(modules))

    def weights(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per task its gate's weights [n, experts]."""
        return {task: self.gating[task_key(task)](streams[task]) for task in streams}

    def forward(
        self, streams: Mapping[str, Tensor], shared: Tensor, weights: Mapping[str, Tensor], rows: Rows
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The tasks' mixtures and the shared one; `rows` says which of the shared experts' rows a task's stream has."""
        common = [expert(shared) for expert in self.shared]
        own = {task: [expert(streams[task]) for expert in self._own(task)] for task in streams}
        mixed = {
            task: mix(weights[task], own[task] + [select(output, rows.get(task)) for output in common], self.feature)
            for task in own
        }
        if self.shared_gate is not None:
            everything = [output for outputs in own.values() for output in outputs] + common
            shared = mix(self.shared_gate(shared), everything, self.feature)
        return mixed, shared

    def _own(self, task: str) -> nn.ModuleList:
        experts = self.own[task_key(task)]
        assert isinstance(experts, nn.ModuleList)
        return experts
