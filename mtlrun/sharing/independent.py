"""Single-task baselines: a network of its own for each task."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mtlrun.sharing.base import BackboneFactory, Sharing
from mtlrun.sharing.module_names import task_key
from mtlrun.types import Rows, select


class Independent(Sharing):
    """Nothing is shared: each step's gradients equal those of training each task alone on the same batches.

    The optimizer's schedule, clipping of all parameters, and the epoch that is chosen go by all tasks together. Where
    they matter, train one task a run (`tasks=[NAME]`).

    Args:
        backbone: builds one backbone; called once per task.
        tasks: names of the tasks.
    """

    def __init__(self, backbone: BackboneFactory, tasks: Sequence[str]) -> None:
        super().__init__(tasks)
        networks = {task_key(task): backbone() for task in self.tasks}
        self.features = networks[task_key(self.tasks[0])].features
        self.networks = nn.ModuleDict(networks)

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """Each network sees its task's rows only."""
        return {task: self.networks[task_key(task)](select(inputs, rows[task])) for task in rows}

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        return [*self.networks[task_key(task)].parameters()]

    def last_shared_stage(self) -> list[nn.Parameter]:
        return []
