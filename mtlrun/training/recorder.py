"""The tables of the steps, and running counts. Reads the device only now and then."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtlrun.diagnostics.gradients import PairStatistics
from mtlrun.errors import NonFiniteError
from mtlrun.gradients.base import Trace
from mtlrun.linalg.gram import norms
from mtlrun.loggers.base import Logger
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.records import COSINES, TASKS
from mtlrun.training.gates import GateRecords


@dataclass
class _Pending:
    step: int
    tasks: tuple[str, ...]
    rows: dict[str, int]
    norms: list[float | None]
    weighted: bool
    logged: bool


class Recorder:
    """Buffers steps on the device and writes them out on `flush`.

    Args:
        folder: of the run.
        tasks: all of the run, in order.
        log_every: a line per task each n steps; its `rows` are those since the line before.
        logger: gets losses and weights at each flush.
    """

    def __init__(self, folder: RunFolder, tasks: Sequence[str], log_every: int, logger: Logger) -> None:
        self.statistics = PairStatistics(tasks)
        self.gates = GateRecords(folder)
        self.rows_seen = dict.fromkeys(tasks, 0)
        self.latest: dict[str, float] = {}
        self._steps = folder.table(folder.tasks_csv, TASKS)
        self._cosines = folder.table(folder.cosines_csv, COSINES)
        self._log_every, self._logger = log_every, logger
        self._pending: list[_Pending] = []
        self._values: list[Tensor] = []
        self._rows_since_line = dict.fromkeys(tasks, 0)
        self._cosine_rows: list[tuple[int, str, str, float]] = []

    def add(self, step: int, trace: Trace, rows: Mapping[str, int], measured: bool) -> None:
        """Note one step; nothing here waits for the device.

        Args:
            rows: labelled rows per active task.
            measured: whether the Gram matrix, if there is one, is to be recorded.
        """
        measured = measured and trace.gram is not None
        lengths: list[float | None] = [None] * len(trace.tasks)
        if measured and trace.gram is not None:
            lengths = [*norms(trace.gram).tolist()]
            pairs = self.statistics.add(trace.tasks, trace.gram, trace.weights)
            self._cosine_rows += [(step, *pair) for pair in pairs]
        for task, count in rows.items():
            self.rows_seen[task] += count
            self._rows_since_line[task] += count
        logged = measured or step % self._log_every == 0
        since = {task: self._rows_since_line[task] for task in trace.tasks}
        if logged:
            self._rows_since_line.update(dict.fromkeys(trace.tasks, 0))
        self._pending.append(_Pending(step, trace.tasks, since, lengths, trace.weights is not None, logged))
        self._values.append(trace.losses)
        if trace.weights is not None:
            self._values.append(trace.weights.to(trace.losses))

    def flush(self) -> None:
        """Write everything out.

        Raises:
            NonFiniteError: naming task and step of the first loss that is not finite; lines up to there are written.
        """
        values = iter(torch.cat(self._values).tolist() if self._values else [])
        lines: list[tuple[Any, ...]] = []
        broken = None
        for entry in self._pending:
            losses = [next(values) for _ in entry.tasks]
            weights = [next(values) if entry.weighted else None for _ in entry.tasks]
            if entry.logged or not all(map(math.isfinite, losses)):
                columns = zip(entry.tasks, losses, weights, entry.norms, (entry.rows[task] for task in entry.tasks))
                lines += [(entry.step, *column) for column in columns]
            self.latest.update(zip(entry.tasks, losses))
            broken = next(((t, entry.step) for t, loss in zip(entry.tasks, losses) if not math.isfinite(loss)), None)
            if broken:
                break
        self._steps.append(lines)
        self._cosines.append(self._cosine_rows)
        self._log(lines[-len(self._pending[-1].tasks) :] if lines and self._pending else [])
        self.gates.flush()
        self._pending, self._values, self._cosine_rows = [], [], []
        if broken:
            raise NonFiniteError(f"the loss of task '{broken[0]}' is not finite at step {broken[1]}")

    def state_dict(self) -> dict[str, Any]:
        """Call after `flush`."""
        return {
            "sizes": [self._steps.size(), self._cosines.size()],
            "rows_seen": dict(self.rows_seen),
            "since": dict(self._rows_since_line),
            "statistics": self.statistics.state_dict(),
            "gates": self.gates.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Roll the files back to the checkpoint; None empties them."""
        for table, size in zip((self._steps, self._cosines), state["sizes"] if state else (0, 0)):
            table.truncate(size)
        self.gates.load_state_dict(state.get("gates") if state else None)
        if state:
            self.rows_seen, self._rows_since_line = dict(state["rows_seen"]), dict(state["since"])
            self.statistics.load_state_dict(state["statistics"])

    def _log(self, lines: Sequence[tuple[Any, ...]]) -> None:
        if lines:
            values = {f"train/{task}/loss": loss for _, task, loss, *_ in lines}
            values |= {f"train/{task}/weight": weight for _, task, _, weight, *_ in lines if weight is not None}
            self._logger.log(lines[0][0], values)
