"""The network: a sharing scheme and one head per task."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

from torch import Tensor, nn

from mtlrun.sharing.backbone_paths import from_backbone, stage_of
from mtlrun.sharing.base import Sharing
from mtlrun.sharing.module_names import task_key
from mtlrun.tasks.base import Task
from mtlrun.types import Batch, Rows


class MultiTaskModel(nn.Module):
    """Args: the sharing scheme, and task name -> head on its stage outputs."""

    def __init__(self, sharing: Sharing, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.sharing = sharing
        self.heads = nn.ModuleDict({task_key(task): head for task, head in heads.items()})
        self.tasks = tuple(heads)
        self._frozen: list[nn.Module] = []

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, Any]:
        """Each task's output on its labelled rows."""
        features = self.sharing(inputs, rows)
        return {task: self.head(task)(outputs) for task, outputs in features.items()}

    def train(self, mode: bool = True) -> Self:
        """Frozen stages stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen:
            module.training = False
        return self

    def stages(self) -> list[str]:
        """Names of the backbone's stages that the sharing scheme uses."""
        return [*dict.fromkeys(stage_of(path) for _, path, _ in from_backbone(self.sharing))]

    def frozen_stages(self) -> list[str]:
        """Names of the backbone's stages of which parameters are frozen, by `freeze` or by the sharing scheme."""
        frozen = {
            stage_of(path)
            for _, path, module in from_backbone(self.sharing)
            if any(not parameter.requires_grad for parameter in module.parameters(recurse=False))
        }
        return [stage for stage in self.stages() if stage in frozen]

    def freeze(self, stages: Collection[str]) -> None:
        """Keep these stages of the backbone, in every copy of it, as they are: parameters and running statistics.

        What the sharing scheme adds to them, such as adapters, still learns.
        """
        self._frozen = [module for _, path, module in from_backbone(self.sharing) if stage_of(path) in stages]
        for module in self._frozen:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
        self.train(self.training)

    def head(self, task: str) -> nn.Module:
        return self.heads[task_key(task)]

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        """Parameters that influence this task alone, its head included."""
        return [*self.sharing.task_parameters(task), *self.head(task).parameters()]


def task_losses(
    network: nn.Module, tasks: Mapping[str, Task], batches: Sequence[Batch], counts: Mapping[str, int]
) -> dict[str, Tensor]:
    """Per task the sum of its rows' losses over `counts`, the number of its labelled rows in the whole step.

    Dividing by the whole step's count makes the losses of micro-batches add up to the mean over the step.
    """
    losses: dict[str, Tensor] = {}
    for batch in batches:
        for task, output in network(batch.inputs, batch.rows).items():
            total, count = tasks[task].losses(output, batch.targets[task]).sum(), counts[task]
            loss = total if count == 1 else total / count
            losses[task] = losses[task] + loss if task in losses else loss
    return losses
