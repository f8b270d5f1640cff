"""One number or several per row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss, l1_loss, mse_loss
from torchmetrics import Metric
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError

from mtlrun.errors import DataError, choose
from mtlrun.linalg.precision import needs_double
from mtlrun.options import whole
from mtlrun.tasks.arguments import check_shape
from mtlrun.tasks.base import LossFunction, OtherParts, Task
from mtlrun.tasks.heads import VectorHeadOptions
from mtlrun.tasks.numerics import Constant, full_precision, mean_present
from mtlrun.tasks.outputs import DefinedR2, OutputMean
from mtlrun.types import Feature

ERRORS: dict[str, Callable[..., Tensor]] = {"mse": mse_loss, "l1": l1_loss, "huber": huber_loss}


class RegressionOptions(OtherParts, total=False):
    """What `Regression` takes beside its name, outputs and standardisation."""

    hidden: Sequence[int]
    dropout: float
    loss: str | LossFunction
    unit: str


class Regression(Task):
    """Targets: [N] or [N, D], NaN where an entry is not known. Output: [n, D], standardised if `standardise`.

    Judged by the mean absolute error in the targets' own unit, lower is better. Targets that float32 would round
    (such as times in seconds since 1970) are standardised, and predictions brought back to their unit, in float64; the
    network and the loss stay in float32.

    Args:
        name: the task's name.
        outputs: D, numbers per row.
        standardise: train on (target - mean) / deviation of the training labels. Metrics stay in the original
            unit.
        hidden: units of the head's ReLU layers before the last one.
        dropout: share of units dropped before each layer of the head.
        loss: 'mse', 'l1' or 'huber' (quadratic below an error of 1, linear above), or a callable (see `Task`)
            on output and target [n, D], both standardised if `standardise`.
        unit: of the targets, for whoever reads predictions.
        head, metrics, judge: replace the kind's own, see `Task`. Metrics get [n, D] in the original unit, [n]
            for D = 1.

    Raises:
        ConfigError: if an argument is out of its range.
    """

    default_judge = "mae"

    def __init__(
        self,
        name: str,
        outputs: int = 1,
        standardise: bool = True,
        *,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        loss: str | LossFunction = "mse",
        unit: str = "",
        **others: Unpack[OtherParts],
    ) -> None:
        super().__init__(name, loss=None if isinstance(loss, str) else loss, **others)
        self._outputs = whole(f"outputs of task '{name}'", outputs)
        self.standardise, self.unit = standardise, unit
        self.head_options = VectorHeadOptions(name, hidden, dropout)
        self.error = ERRORS[choose(loss, ERRORS, f"loss for task '{name}'")] if isinstance(loss, str) else mse_loss
        self._set_scale(torch.zeros(outputs), torch.ones(outputs), torch.float32)
        self.higher_is_better()  # refuses a judge that is no metric

    def _set_scale(self, mean_D: Tensor, deviation_D: Tensor, precision: torch.dtype) -> None:
        """Keep mean and deviation; `precision` is that of sums and differences in the targets' unit."""
        self.precision = precision
        self.mean, self.deviation = mean_D.to(precision).cpu(), deviation_D.to(precision).cpu()
        self._mean, self._deviation = Constant(self.mean), Constant(self.deviation)

    @property
    def outputs(self) -> int:
        return self._outputs

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        return self.head_options.build(features, self.outputs)

    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        target = self._rows(target)
        if self.standardise:
            target = (target - self._mean.on(target.device)) / self._deviation.on(target.device)
            return super().losses(output, self._like(target, output))
        if self.precision == torch.float64:
            return super().losses(output.double(), target).float()
        return super().losses(output, target)

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Error [n]: mean over the row's known entries, 0 for a row without any."""
        known = ~target.isnan()
        error = self.error(full_precision(output), torch.where(known, target, 0), reduction="none")
        return mean_present(error, known)

    def default_metrics(self) -> dict[str, Metric]:
        """Each averaged over the outputs, over known entries only; R2 is NaN below two rows."""
        centre = self.mean if self.precision == torch.float64 else None  # errors are the same around any centre
        return {
            "mae": OutputMean(MeanAbsoluteError(), self.outputs, centre),
            "rmse": OutputMean(MeanSquaredError(squared=False), self.outputs, centre),
            "r2": OutputMean(DefinedR2(), self.outputs, self.mean, self.deviation),
        }

    def fit(self, targets: Tensor) -> None:
        """Mean and deviation of each output over its known labels; a constant one gets deviation 1."""
        precision = torch.float64 if needs_double(targets) else torch.float32
        targets = targets.reshape(len(targets), self.outputs).double()
        known = ~targets.isnan()
        count_D = known.sum(0).clamp_min(1)
        mean_D = torch.where(known, targets, 0).sum(0) / count_D
        deviation_D = (torch.where(known, targets - mean_D, 0).square().sum(0) / count_D).sqrt()
        rounding = 1e-7 if precision == torch.float32 else 1e-12
        negligible = deviation_D <= rounding * mean_D.abs()
        self._set_scale(mean_D, deviation_D.masked_fill(negligible, 1), precision)

    def check(self, targets: Tensor) -> None:
        fits = targets.dim() == 2 and targets.shape[1] == self.outputs
        form = f"[N, {self.outputs}]" + (" or [N]" if self.outputs == 1 else "")
        check_shape(self.name, targets, form, fits or (targets.dim() == 1 and self.outputs == 1))
        if targets.isinf().any():
            raise DataError(f"labels of task '{self.name}' must be finite, or NaN for not known, found an infinity")

    def constants(self) -> dict[str, Any]:
        precision = str(self.precision).removeprefix("torch.")
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist(), "precision": precision}

    def set_constants(self, constants: Mapping[str, Any]) -> None:
        mean_D, deviation_D = (torch.tensor(constants[key], dtype=torch.float64) for key in ("mean", "deviation"))
        self._set_scale(mean_D, deviation_D, getattr(torch, constants["precision"]))

    def cells(self, answer: Tensor) -> dict[str, Any]:
        values = answer.tolist()
        if self.outputs == 1:
            return {self.unit: values[0]}
        return {f"{number}_{self.unit}".rstrip("_"): value for number, value in enumerate(values, start=1)}

    def reading(self) -> dict[str, Any]:
        return {"unit": self.unit} if self.unit else {}

    def metric_inputs(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        prediction, target = self.predict(output), self._rows(target)
        return (prediction[:, 0], target[:, 0]) if self.outputs == 1 else (prediction, target)

    def predict(self, output: Tensor) -> Tensor:
        """[n, D] in the original unit."""
        output = full_precision(output)
        if not self.standardise:
            return output
        return output * self._deviation.on(output.device) + self._mean.on(output.device)

    def _rows(self, target: Tensor) -> Tensor:
        """[n] or [n, D] as floating-point [n, D]."""
        target = target.reshape(len(target), self.outputs)
        return target if target.is_floating_point() else target.to(self.precision)

    def _like(self, target: Tensor, output: Tensor) -> Tensor:
        """Standardised targets in the precision of the loss, if they were standardised in a higher one."""
        return target.to(full_precision(output).dtype) if self.precision == torch.float64 else target
