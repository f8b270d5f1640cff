"""A trained network for use: normalisation inside, one forward pass for all tasks of an input, answers in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun.data.source import Normalisation
from mtlrun.errors import DataError, choose
from mtlrun.inference.columns import EncodeColumns, rows_of_table, table_of
from mtlrun.inference.description import InputDescription
from mtlrun.tasks.base import Task
from mtlrun.training.devices import autocast
from mtlrun.training.model import MultiTaskModel
from mtlrun.training.settings import Precision


class Prepare(nn.Module):
    """Inputs as files have them -> inputs of the network, with the arithmetic of the training's source.

    Args:
        normalisation: as used in training.
        dimensions: of one row, without the batch.
    """

    shift: Tensor | None
    scale: Tensor | None

    def __init__(self, normalisation: Normalisation, dimensions: int) -> None:
        super().__init__()
        mean, deviation, unit = normalisation.mean, normalisation.deviation, normalisation.unit
        self.early, self._shape = normalisation.early, (-1, *[1] * (dimensions - 1))
        if self.early:
            self._keep(torch.tensor(mean, dtype=torch.float64), torch.tensor(deviation, dtype=torch.float64))
            return
        scaled = deviation is not None or unit != 1
        self._keep(
            None if mean is None else torch.tensor(mean) * unit,
            1 / (torch.tensor(deviation or [1.0]) * unit) if scaled else None,
        )

    def _keep(self, shift: Tensor | None, scale: Tensor | None) -> None:
        for name, values in (("shift", shift), ("scale", scale)):
            self.register_buffer(name, None if values is None else values.view(self._shape), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, ...] of any number type -> float32; whole numbers without a normalisation stay as they are."""
        if self.early:
            assert self.shift is not None
            assert self.scale is not None
            return ((inputs.double() - self.shift) / self.scale).float()
        if self.shift is None and self.scale is None:
            return inputs.float() if inputs.is_floating_point() else inputs
        prepared = inputs.float()
        prepared = prepared if self.shift is None else prepared - self.shift
        return prepared if self.scale is None else prepared * self.scale


class TrainedNetwork(nn.Module):
    """The network of a run, in evaluation mode.

    `network(inputs)` gives each task's raw output, `network.answers(inputs)` probabilities, numbers in the targets' own
    unit or boxes, and `network.predict(inputs)` names and numbers, a dict a row. Inputs are [B, ...] as the files of
    training had them (uint8 images, columns as they are); `run/model.json` says shape and type. Of a table they are
    [B, columns] as `network.rows(frame)` gives them, and `predict` takes the frame itself.

    Args:
        model: with its weights.
        tasks: by name, fitted.
        inputs: what the network was trained on; of several sources the first one is meant unless another is named.
        precision: of the forward pass.
        batch_size: rows of one forward pass of `predict`.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        tasks: Mapping[str, Task],
        inputs: Sequence[InputDescription],
        precision: Precision = Precision.fp32,
        batch_size: int = 256,
    ) -> None:
        super().__init__()
        self.model, self.tasks, self.precision, self.batch_size = model, dict(tasks), precision, batch_size
        self.inputs = {entry.name: entry for entry in inputs}
        self.prepare = nn.ModuleList(map(_prepare, inputs))
        self.eval()

    @property
    def device(self) -> torch.device:
        """Of the weights."""
        return next(self.model.parameters()).device

    def forward(self, inputs: Tensor, source: str | None = None) -> dict[str, Any]:
        """Outputs of the heads, by task, for inputs [B, ...] of one source."""
        name, entry = self._entry(source)
        prepared = self.prepare[[*self.inputs].index(name)](inputs)
        with autocast(prepared.device, self.precision):
            return self.model(prepared, dict.fromkeys(self._chosen(entry)))

    def answers(self, inputs: Tensor, source: str | None = None) -> dict[str, Tensor]:
        """Per task [B, ...], see each kind's `answer`."""
        outputs = self(inputs, source)
        return {task: self.tasks[task].answer(output) for task, output in outputs.items()}

    @torch.no_grad()
    def predict(self, inputs: Any, source: str | None = None) -> list[dict[str, Any]]:
        """A dict a row: {'sign': 'stop', 'sign_p': 0.93, 'weight': 3.2, ...}; names and units, never indices.

        Args:
            inputs: [B, ...], anything that torch.as_tensor takes; of a table also a pandas data frame, columns by name,
                or a list of dicts, a row each (one dict of plain values is a row).
            source: the name of one, if the network was trained on several.

        Raises:
            DataError: if the shape, a column or a type is another one than in training.
        """
        _, entry = self._entry(source)
        by_name = entry.columns and not isinstance(inputs, Tensor | np.ndarray)
        values = self.rows(inputs, source) if by_name else _tensor(inputs, entry)
        if tuple(values.shape[1:]) != entry.row_shape:
            wanted, found = ("x".join(map(str, shape)) for shape in (entry.row_shape, values.shape[1:]))
            raise DataError(f"inputs must be rows of shape {wanted} ({entry}), found {found or 'single numbers'}")
        if entry.is_image and (values.dtype == torch.uint8) != (entry.normalisation.dtype == "uint8"):
            raise DataError(f"images must be {entry.normalisation.dtype}, as in training, found {values.dtype}")
        rows: list[dict[str, Any]] = []
        for part in values.split(self.batch_size):
            answers = self.answers(part.to(self.device), source)
            rows += [
                cells_of(self.tasks, {task: answer[row] for task, answer in answers.items()})
                for row in range(len(part))
            ]
        return rows

    def rows(self, inputs: Any, source: str | None = None) -> Tensor:
        """Rows of a table as the network takes them, float64 [B, columns]: see `mtlrun.inference.columns`.

        Args:
            inputs: a pandas data frame, columns by name, or a list of dicts, a row each.
            source: the name of one, if the network was trained on several.

        Raises:
            DataError: if a column is absent or of another type, or the network was trained on no table.
        """
        _, entry = self._entry(source)
        if not entry.columns:
            raise DataError(f"the network was trained on no table: it takes {entry}")
        return rows_of_table("the data", table_of(inputs, entry.columns), entry.columns)

    def keep(self, tasks: Sequence[str]) -> None:
        """Leave out the heads of all other tasks; parts that serve them alone are not run any more.

        Raises:
            ConfigError: for a task that the network does not have.
        """
        kept = [choose(task, self.tasks, "task") for task in tasks]
        self.tasks = {task: self.tasks[task] for task in self.tasks if task in kept}

    def _chosen(self, entry: InputDescription) -> list[str]:
        return [task for task in self.tasks if task in entry.tasks]

    def _entry(self, source: str | None) -> tuple[str, InputDescription]:
        name = next(iter(self.inputs)) if source is None else choose(source, self.inputs, "source of inputs")
        return name, self.inputs[name]


def _prepare(entry: InputDescription) -> nn.Module:
    """What a row as it is given goes through first."""
    made = Prepare(entry.normalisation, len(entry.input_shape))
    return nn.Sequential(EncodeColumns(entry.columns), made) if entry.columns else made


def _tensor(inputs: Any, entry: InputDescription) -> Tensor:
    try:
        return torch.as_tensor(inputs)
    except (TypeError, ValueError, RuntimeError) as error:
        shape = ", ".join(map(str, ("B", *entry.row_shape)))
        hint = ", and mtlrun.load(RUN).predict(FILE) reads texts" if entry.is_text else ""
        raise DataError(
            f"inputs must be numbers [{shape}], as tensor or array{hint}: found a {type(inputs).__name__}"
        ) from error


def cells_of(tasks: Mapping[str, Task], answers: Mapping[str, Tensor]) -> dict[str, Any]:
    """One row's answers by column: the task, or the task and what it is of it."""
    found: dict[str, Any] = {}
    for task, answer in answers.items():
        for word, value in tasks[task].cells(answer.cpu()).items():
            found[f"{task}_{word}" if word else task] = value
    return found
