"""Weights per class for cross-entropy, given or derived from how often each class occurs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtlrun.errors import ConfigError, choose
from mtlrun.tasks.numerics import Constant

RULES = {"balanced": 1.0, "sqrt": 0.5}


def inverse_frequency(counts_K: Tensor, power: float) -> Tensor:
    """Weights [K] ~ (1 / frequency)^power, with mean 1 over the counted examples.

    A class that never occurs is weighted as if it occurred once.
    """
    counts_K = counts_K.double().clamp_min(1)
    weights_K = counts_K.pow(-power)
    return (weights_K * counts_K.sum() / (weights_K * counts_K).sum()).float()


class ClassWeights:
    """None (no weights), a list with one weight per class, or a rule that `fit` turns into weights.

    Args:
        task: for messages.
        setting: None, a list [K], 'balanced' (inverse frequency) or 'sqrt' (its square root: gentler).
        num_classes: K.

    Raises:
        ConfigError: if the rule is unknown, or the list is not K numbers of at least 0.
    """

    def __init__(self, task: str, setting: str | Sequence[float] | None, num_classes: int) -> None:
        self._power: float | None = None
        self._weights: Constant | None = None
        self._num_classes = num_classes
        if isinstance(setting, str):
            self._power = RULES[choose(setting, RULES, f"class_weights rule for task '{task}'")]
        elif setting is not None:
            self._weights = Constant(self._given(task, list(setting)))

    def _given(self, task: str, setting: list[float]) -> Tensor:
        numbers = all(isinstance(weight, (int, float)) and weight >= 0 for weight in setting)
        if len(setting) != self._num_classes or not numbers:
            wanted = f"{self._num_classes} numbers of at least 0"
            raise ConfigError(f"class_weights of task '{task}' must be {wanted}, found {setting}")
        return torch.tensor(setting, dtype=torch.float32)

    def fit(self, labels: Tensor, ignored: int | None = None) -> None:
        """Derive the weights from class indices of any shape, if a rule was given.

        Args:
            ignored: the value of labels that count not. They are counted and dropped: to select the others first takes
                ten times as long on masks.
        """
        if self._power is not None:
            counts_K = torch.bincount(labels.flatten().long(), minlength=self._num_classes)
            if ignored is not None:
                counts_K[ignored : ignored + 1] = 0
            counts_K = counts_K[: self._num_classes]
            self._weights = Constant(inverse_frequency(counts_K.cpu(), self._power))

    def constants(self) -> dict[str, list[float]]:
        """The weights, if there are any."""
        return {} if self._weights is None else {"class_weights": self._weights.values.tolist()}

    def set_constants(self, constants: Mapping[str, Any]) -> None:
        """Take the weights of `constants`."""
        if "class_weights" in constants:
            self._weights = Constant(torch.tensor(constants["class_weights"], dtype=torch.float32))

    def like(self, values: Tensor) -> Tensor | None:
        """The weights [K] on the device and in the precision of `values`."""
        return None if self._weights is None else self._weights.on(values.device).to(values.dtype)
