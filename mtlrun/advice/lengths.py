"""How long the runs of an advice train: a fifth of the configured length, then doubled."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

FIRST = 5
"""The first budget is the configured length divided by this."""


@dataclass(frozen=True)
class TrainingLength:
    """The configured length of a run, in the setting that bounds it: epochs, or steps where epochs are too coarse.

    key: 'trainer.epochs' or 'trainer.max_steps'.
    full: its configured value.
    """

    key: str
    full: int

    @property
    def unit(self) -> str:
        """'epochs' or 'steps'."""
        return "epochs" if self.key == "trainer.epochs" else "steps"

    def word(self, amount: int) -> str:
        """The setting that trains for so long."""
        return f"{self.key}={amount}"

    def said(self, amount: int) -> str:
        """Such as '8 of 40 epochs'."""
        if amount > self.full:
            return f"{amount} {self.unit} (configured: {self.full})"
        return f"{amount} of {self.full} {self.unit}"


def training_length(epochs: int, max_steps: int | None, steps_per_epoch: int) -> TrainingLength:
    """Of a configuration; fewer epochs than can be divided into fifths are counted in steps."""
    steps = epochs * steps_per_epoch
    if max_steps is not None and max_steps < steps:
        return TrainingLength("trainer.max_steps", max_steps)
    if epochs < FIRST:
        return TrainingLength("trainer.max_steps", steps)
    return TrainingLength("trainer.epochs", epochs)


def budgets(full: int, share: float) -> list[int]:
    """The lengths to train to, one after the other: a fifth, doubled, up to the share of the full length."""
    last = max(1, round(full * share))
    found, amount = [], ceil(full / FIRST)
    while amount < last:
        found.append(amount)
        amount *= 2
    return [*found, last]
