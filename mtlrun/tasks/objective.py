"""A function of the network's output to be minimised: a task without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from mtlrun.errors import ConfigError
from mtlrun.options import below, whole
from mtlrun.tasks.arguments import direct
from mtlrun.tasks.base import Replacements, Task
from mtlrun.tasks.numerics import full_precision
from mtlrun.tasks.passthrough import PassThrough
from mtlrun.types import Feature

Function = Callable[[Tensor], Tensor]
"""function(points [n, D]) -> values [n]"""


class Objective(Task):
    """Targets: [N] of anything. Output: points [n, D]. Judged by `excess`, the value above its bound; lower is better.

    The loss is scale * (function(point) - lower_bound). The bound changes no gradient; it makes the loss positive,
    which balancers that look at ratios or logarithms of losses need.

    Args:
        name: the task's name.
        function: of the points [n, D], called as `function(points)`; one value per row, [n].
        coordinates: D.
        scale: factor on the loss, above 0; metrics stay as they are.
        lower_bound: no value of the function is below it.
        head, loss, metrics, judge: replace the kind's own, see `Task`; the kind's head has no parameters. Metrics get
            [n, 2 + D]: value - lower_bound, value and the point.

    Raises:
        ConfigError: if an argument is out of its range.
    """

    default_judge = "excess"

    def __init__(
        self,
        name: str,
        function: Function,
        coordinates: int = 2,
        scale: float = 1.0,
        lower_bound: float = 0.0,
        **replacements: Unpack[Replacements],
    ) -> None:
        self.function = direct(function)
        self.coordinates = whole(f"coordinates of task '{name}'", coordinates)
        self.scale = below(f"scale of task '{name}'", scale, 0)
        if scale == 0:
            raise ConfigError(f"scale of task '{name}' must be above 0, found 0")
        self.lower_bound = below(f"lower_bound of task '{name}'", lower_bound, -float("inf"))
        super().__init__(name, **replacements)
        self.higher_is_better()  # refuses a judge that is no metric

    @property
    def outputs(self) -> int:
        return self.coordinates

    @property
    def quoted(self) -> str:
        """There is no other data to choose an epoch by: what counts is where the point ends."""
        return "last"

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        return PassThrough(features, input_shape, self.outputs)

    def values(self, points: Tensor) -> Tensor:
        """The function of points [..., D], [...].

        Raises:
            ConfigError: if it does not return one value per point.
        """
        values = self.function(full_precision(points))
        if values.shape != points.shape[:-1]:
            raise ConfigError(
                f"function of task '{self.name}' must return one value per point, shape {list(points.shape[:-1])}, "
                f"found {list(values.shape)}"
            )
        return values

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        excess = self.values(output) - self.lower_bound
        return excess if self.scale == 1 else self.scale * excess

    def default_metrics(self) -> dict[str, Metric]:
        """Means over the rows: `excess`, `value`, and the point's coordinates `x1`, `x2`, ..."""
        return {"excess": ColumnMeans(["excess", "value", *(f"x{index + 1}" for index in range(self.coordinates))])}

    def metric_inputs(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        values = self.values(output)
        return torch.column_stack([values - self.lower_bound, values, output]), target


class ColumnMeans(Metric):
    """The mean of each column of [n, K], by name."""

    is_differentiable = False
    higher_is_better = False
    full_state_update: ClassVar[bool] = False  # type: ignore[misc]
    total: Tensor
    count: Tensor

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.add_state("total", torch.zeros(len(self.names)), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, columns: Tensor, target: Tensor) -> None:
        self.total = self.total + columns.sum(0)
        self.count = self.count + len(columns)

    def compute(self) -> dict[str, Tensor]:
        return dict(zip(self.names, self.total / self.count))
