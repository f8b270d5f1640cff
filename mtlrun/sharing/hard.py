"""One trunk for all tasks, and from a chosen stage on a branch for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from mtlrun.backbones.base import Backbone
from mtlrun.errors import choose
from mtlrun.sharing.base import BackboneFactory, Sharing
from mtlrun.sharing.module_names import task_key
from mtlrun.types import Rows, select


class Hard(Sharing):
    """Hard parameter sharing. Caruana, "Multitask Learning", Machine Learning 28, 1997.

    Args:
        backbone: builds one backbone; each task's branch is taken from a fresh one.
        tasks: names of the tasks.
        split: the last stage that all tasks share; None shares every stage.

    Raises:
        ConfigError: if the backbone has no stage of that name.
    """

    def __init__(self, backbone: BackboneFactory, tasks: Sequence[str], split: str | None = None) -> None:
        super().__init__(tasks)
        first = backbone()
        self.features = first.features
        names = [feature.name for feature in first.features]
        depth = len(names) if split is None else names.index(choose(split, names, "stage for sharing.split")) + 1
        self.trunk = nn.ModuleDict({name: first.stages[name] for name in names[:depth]})
        self.branches = nn.ModuleDict()
        if depth == len(names):
            return
        for task in self.tasks:
            self.branches[task_key(task)] = _branch(first, names[depth:])
            if task != self.tasks[-1]:
                first = backbone()  # one at a time: its stages before the branch are freed in the next round

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """The trunk sees all rows once; a branch sees its task's rows."""
        outputs = []
        for stage in self.trunk.values():
            inputs = stage(inputs)
            outputs.append(inputs)
        return {task: self._task_outputs(task, outputs, rows[task]) for task in rows}

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        return [
            *self._branch_of(task).parameters(),
            *(self.trunk.parameters() if len(self.tasks) == 1 else []),
        ]

    def last_shared_stage(self) -> list[nn.Parameter]:
        if len(self.tasks) == 1:
            return []
        stages = [[*stage.parameters()] for stage in self.trunk.values()]
        return next((parameters for parameters in reversed(stages) if parameters), [])

    def trunk_end(self) -> nn.Module | None:
        return None if len(self.tasks) == 1 else [*self.trunk.values()][-1]

    def _task_outputs(self, task: str, trunk: list[Tensor], rows: Tensor | None) -> list[Tensor]:
        outputs = [*trunk] if rows is None else [select(output, rows) for output in trunk]
        for stage in self._branch_of(task).values():
            outputs.append(stage(outputs[-1]))
        return outputs

    def _branch_of(self, task: str) -> nn.ModuleDict:
        """The task's stages after the split; none of them if all stages are shared."""
        return cast(nn.ModuleDict, self.branches[task_key(task)]) if len(self.branches) else self.branches


def _branch(backbone: Backbone, names: list[str]) -> nn.ModuleDict:
    return nn.ModuleDict({name: backbone.stages[name] for name in names})
