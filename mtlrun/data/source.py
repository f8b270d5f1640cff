"""Rows of data: inputs, and labels for one or more tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mtlrun.data.row_words import rows_in_words
from mtlrun.data.scaling import Scaling
from mtlrun.errors import ConfigError, DataError, near_miss
from mtlrun.types import AnswerTexts, InputColumn

Fingerprint = dict[str, list[dict[str, Any]]]
"""Split -> one entry per source (see `mtlrun.data.fingerprint`): plain values and tensors, as checkpoints hold them."""


@dataclass(frozen=True)
class Normalisation:
    """How inputs as files have them become those of a network: x / unit, less `mean`, divided by `deviation`.

    dtype: of the files' numbers. mean, deviation: per channel or column; None for nothing. early: for columns, in
    float64 and before anything else.
    """

    dtype: str
    unit: float = 1.0
    mean: list[float] | None = None
    deviation: list[float] | None = None
    early: bool = False


class Source(ABC):
    """Rows served by index, many at once.

    name: unique among the sources of a split.
    tasks: the names of the tasks that it labels.
    input_shape: of one row, (C, H, W) or (D,).
    in_memory: False sends `fetch` into DataLoader workers.
    columns: of vectors made from a table, what each of the D entries is; () for any other inputs.
    """

    name: str
    tasks: tuple[str, ...]
    input_shape: tuple[int, ...]
    in_memory: bool = False
    columns: tuple[InputColumn, ...] = ()

    @property
    def labels_in_memory(self) -> bool:
        """Whether `targets` gives all labels, and reads no file for them."""
        return self.in_memory

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def labelled(self, task: str) -> Tensor:
        """Which rows are labelled for the task: bool [N] on the CPU."""

    @abstractmethod
    def fetch(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Raw inputs [B, ...] of the rows [B], and the targets [B, ...] of every task of this source.

        The target of a row that is not labelled is arbitrary. Random augmentation is for sources that are not in
        memory: it draws from the global generators of torch on the CPU, NumPy or Python, which stand at the same place
        for every part of a step. What is drawn from the first number and a row's own then depends on no number of
        processes or workers.
        """

    def prepare(self, inputs: Tensor) -> Tensor:
        """Raw inputs to network inputs, on the training device (such as uint8 to normalised float)."""
        return inputs

    def normalisation(self) -> Normalisation:
        """What was done to the numbers of the files until `prepare` has given those of the network.

        Override it together with `prepare`: a run whose inputs are prepared in ways that are not told cannot be used
        without its data.
        """
        with torch.random.fork_rng(devices=[]):  # a source that augments draws numbers
            inputs, _ = self.fetch(torch.arange(1))
        return Normalisation(str(inputs.dtype).removeprefix("torch."))

    def read(self, inputs: Tensor) -> list[str]:
        """Raw inputs [B, ...] in words, for pictures of rows that are no images; none if there are no words."""
        return rows_in_words(self.columns, inputs) if self.columns else []

    def targets(self, task: str) -> Tensor:
        """All labelled targets of a task, [n, ...]; lazy sources may serve a large sample instead."""
        rows = self.labelled(task).nonzero().squeeze(1)
        return self.fetch(rows)[1][task]

    def texts(self, task: str, rows: Tensor) -> list[AnswerTexts] | None:
        """What metrics compare beside the targets of the rows [B], one entry for each; None if there is nothing."""
        return None

    def row_ids(self) -> Tensor | None:
        """A number for each row, int64 [N], by what its files hold and not where they lie; None if inputs in memory,
        or labels alone, tell the rows apart (see `mtlrun.data.fingerprint`)."""
        return None

    def label_ids(self, task: str) -> Tensor:
        """What tells a task's labels from others, [n, ...]: the labelled targets, or something cheaper to get."""
        return self.targets(task)

    def to(self, device: torch.device) -> Source:
        """The same source with its tensors on `device`; lazy sources stay as they are."""
        return self


class TensorSource(Source):
    """A source that lies in memory: whole batches are gathered as tensors.

    Args:
        name: unique among the sources of a split.
        inputs: [N, ...]; when they are used, uint8 images [N, C, H, W] are divided by 255 and floats become
            float32; integers stay as they are unless there is a mean or a deviation.
        targets: per task [N, ...].
        labelled: per task bool [N]; a task that is not named here is labelled on every row.
        mean, std: per channel (the second dimension of `inputs`), applied after the division by 255; none by
            default.
        row_ids: int64 [N], see `Source.row_ids`: for inputs that were changed by what other rows hold, such as
            standardised ones.
        early: mean and deviation per column by which the inputs were standardised before they came here.
        label_ids: of tasks whose labels were read from files, see `Source.label_ids`; those of others are the labels.
        columns: see `Source.columns`.

    Raises:
        DataError: if the numbers of rows differ, or `labelled` names an unknown task or is not bool [N].
    """

    in_memory = True

    def __init__(
        self,
        name: str,
        inputs: Tensor,
        targets: Mapping[str, Tensor],
        labelled: Mapping[str, Tensor] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        row_ids: Tensor | None = None,
        early: tuple[Sequence[float], Sequence[float]] | None = None,
        label_ids: Mapping[str, Tensor] | None = None,
        columns: Sequence[InputColumn] = (),
    ) -> None:
        self.name, self.columns = name, tuple(columns)
        self._statistics, self._early = (mean, std), early
        self._row_ids, self._label_ids = row_ids, dict(label_ids or {})
        self.tasks = tuple(targets)
        self.input_shape = tuple(inputs.shape[1:])
        self._inputs = inputs
        self._targets = dict(targets)
        self._labelled = {task: mask.cpu() for task, mask in (labelled or {}).items()}
        self._check()
        self._scaling = Scaling(inputs.dtype, inputs.dim(), mean, std)

    def _check(self) -> None:
        for task, values in self._targets.items():
            if len(values) != len(self):
                raise DataError(f"source '{self.name}' has {len(self)} inputs but {len(values)} labels for '{task}'")
        for task, mask in self._labelled.items():
            if task not in self._targets:
                raise DataError(f"source '{self.name}' has no task '{task}'{near_miss(task, self.tasks)}")
            if mask.dtype != torch.bool or mask.shape != (len(self),):
                raise DataError(
                    f"source '{self.name}' needs a mask of {len(self)} bools for '{task}', "
                    f"found {mask.dtype} {list(mask.shape)}"
                )

    def __len__(self) -> int:
        return len(self._inputs)

    def labelled(self, task: str) -> Tensor:
        mask = self._labelled.get(task)
        return torch.ones(len(self), dtype=torch.bool) if mask is None else mask

    def fetch(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        rows = rows.to(self._inputs.device, non_blocking=True)
        # index_select is several times faster than indexing on the CPU
        targets = {task: values.index_select(0, rows) for task, values in self._targets.items()}
        return self._inputs.index_select(0, rows), targets

    def prepare(self, inputs: Tensor) -> Tensor:
        return self._scaling(inputs)

    def normalisation(self) -> Normalisation:
        dtype = str(self._inputs.dtype).removeprefix("torch.")
        mean, deviation = (None if values is None else [*values] for values in self._early or self._statistics)
        unit = 255.0 if dtype == "uint8" else 1.0
        return Normalisation("float64" if self._early else dtype, unit, mean, deviation, self._early is not None)

    def targets(self, task: str) -> Tensor:
        values = self._targets[task]
        mask = self._labelled.get(task)
        return values if mask is None else values[mask.to(values.device)]

    def row_ids(self) -> Tensor | None:
        return self._row_ids

    def label_ids(self, task: str) -> Tensor:
        found = self._label_ids.get(task)
        return self.targets(task) if found is None else found

    def nbytes(self) -> int:
        """Bytes of the inputs and targets."""
        return sum(values.nbytes for values in (self._inputs, *self._targets.values()))

    def to(self, device: torch.device) -> TensorSource:
        if device.type == "mps" and any(values.dtype == torch.float64 for values in self._targets.values()):
            raise ConfigError("labels that need double precision do not fit this device: choose trainer.device=cpu")
        moved = type(self).__new__(type(self))
        moved.__dict__.update(self.__dict__)
        moved._inputs = self._inputs.to(device)
        moved._targets = {task: values.to(device) for task, values in self._targets.items()}
        return moved


@dataclass
class Splits:
    """The sources of a task set, split once.

    `statement` says in one line how the splits were made. `inferred` holds task kinds read off the data, for task
    sets whose tasks only the data knows: `kind`, a plain name such as 'Classification' (or `_target_`, the path of a
    class), and the kind's arguments. `fingerprint` and `kinds`, what each task is made from, are noted where the tasks
    are built.
    """

    train: list[Source]
    val: list[Source]
    test: list[Source]
    statement: str
    inferred: dict[str, dict[str, object]] = field(default_factory=dict)
    fingerprint: Fingerprint = field(default_factory=dict)
    kinds: dict[str, dict[str, Any]] = field(default_factory=dict)
