"""Regression whose loss depends on the unit that the labels are in."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from mtlrun.tasks.regression import Regression, RegressionOptions


class Measurement(Regression):
    """As `Regression`, but with the loss in the labels' own unit (its square for mse), unless `standardise`.

    The head puts out standardised numbers either way. So a change of the unit multiplies the loss, and nothing
    else: the network starts with the same predictions, and its last layer need not grow a thousandfold to speak in
    millimetres.

    Args:
        name: the task's name.
        outputs: D, numbers per row.
        standardise: whether the loss is that of standardised labels.
        hidden, dropout, loss, head, metrics, judge: as in `Regression`; a loss that is a callable gets output and
            target standardised.

    Raises:
        ConfigError: if an argument is out of its range.
    """

    def __init__(
        self,
        name: str,
        outputs: int = 1,
        standardise: bool = False,
        **options: Unpack[RegressionOptions],
    ) -> None:
        super().__init__(name, outputs, standardise=True, **options)
        self.in_unit = not standardise

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Error [n] between standardised output and target [n, D], in the labels' unit."""
        if not self.in_unit:
            return super().default_loss(output, target)
        deviation = self._deviation.on(output.device).to(output.dtype)
        return super().default_loss(output * deviation, target * deviation)
