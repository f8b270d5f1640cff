"""One network for all tasks that is told, after its stages, which task it works for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from mtlrun.sharing.base import BackboneFactory, Sharing, depth_of, last_with_parameters
from mtlrun.sharing.descriptors import descriptor_matrix
from mtlrun.sharing.shapes import changed
from mtlrun.types import Rows, select


class Modulated(Sharing):
    """Stages up to `split` run once for all tasks; from its output on, every stage's output is modulated per task.

    A later stage sees the rows of all tasks in one batch. So normalisation over a batch has the same mixture of tasks
    for its statistics as for their running means; a pass per task would be evaluated with statistics that fit none.
    Everything is shared, unless there is only one task.

    Args:
        backbone: builds the one backbone.
        tasks: names of the tasks.
        split: the first stage whose output is modulated; None for the first of all.
        descriptors: task -> numbers, equally many for every task; None for one-hot vectors.
    """

    descriptors: Tensor

    def __init__(
        self,
        backbone: BackboneFactory,
        tasks: Sequence[str],
        split: str | None,
        descriptors: Mapping[str, Sequence[float]] | None,
    ) -> None:
        super().__init__(tasks)
        matrix = descriptor_matrix(self.tasks, descriptors)
        network = backbone()
        self.features = network.features
        names = [feature.name for feature in self.features]
        self._common = 0 if split is None else depth_of(split, names) - 1
        self.modulated = self.features[self._common :]
        self.stages = network.stages
        self._one_hot = descriptors is None
        self.register_buffer("descriptors", matrix, persistent=False)  # the configuration has it

    @abstractmethod
    def of_descriptor(self) -> list[nn.Parameter]:
        """The weights [..., D] that the descriptor is multiplied by."""

    @abstractmethod
    def modulate(self, stage: str, values: Tensor, descriptor: Tensor) -> Tensor:
        """A stage's output [n, C, ...] for the task with this descriptor [D]; the same shape, not in place."""

    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        """The common stages see all rows once; the later ones see each task's rows."""
        outputs: dict[str, list[Tensor]] = {task: [] for task in rows}
        names = [*self.stages]
        features = {feature.name: feature for feature in self.modulated}
        for name in names[: self._common]:
            inputs = self.stages[name](inputs)
            for task in rows:
                outputs[task].append(select(inputs, rows[task]))
        first = self.stages[names[self._common]](inputs)
        values = [select(first, rows[task]) for task in rows]
        for name in names[self._common :]:
            if name != names[self._common]:
                values = run_together(self.stages[name], values)
            for position, task in enumerate(rows):
                change = partial(self.modulate, name, descriptor=self._descriptor(task))
                values[position] = changed(values[position], features[name], change)
                outputs[task].append(values[position])
        return outputs

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        return [*self.parameters()] if len(self.tasks) == 1 else []

    def last_shared_stage(self) -> list[nn.Parameter]:
        return [] if len(self.tasks) == 1 else last_with_parameters([[stage] for stage in self.stages.values()])

    def ordered_by_task(self) -> list[nn.Parameter]:
        """Numbers of the user's own may mean the same for other tasks."""
        return self.of_descriptor() if self._one_hot else []

    def _descriptor(self, task: str) -> Tensor:
        return self.descriptors[self.tasks.index(task)]


def run_together(stage: nn.Module, values: Sequence[Tensor]) -> list[Tensor]:
    """A stage's outputs for several batches [n, ...], computed as one."""
    if len(values) == 1:
        return [stage(values[0])]
    sizes = [value.shape[0] for value in values]  # len() would fix the batch of an exported network
    return [*stage(torch.cat([*values])).split(sizes)]
