"""What a run writes while it trains: tables of its steps, gates and metrics, and running counts."""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import torch
from torch import Tensor

from mtlrun.diagnostics.gradients import PairStatistics
from mtlrun.errors import NonFiniteError
from mtlrun.gradients.base import Trace
from mtlrun.linalg.gram import norms
from mtlrun.loggers.base import Logger
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.records import COSINES, GATES, METRICS, TASKS, CsvTable

ALL_STAGES = "all"
"""Name of the gate of a task that has only one."""
MOST_LINES = 10_000
"""Of a task in tasks.csv, unless more are asked for."""


@dataclass
class _Pending:
    step: int
    tasks: tuple[str, ...]
    rows: list[int]
    norms: list[float | None]
    weighted: bool
    logged: bool


class Recorder:
    """tasks.csv, cosines.csv and gates.csv. Keeps steps on the device and reads it only on `flush`, now and then.

    Args:
        folder: of the run.
        tasks: all of the run, in order.
        log_every: a line per task each n steps; its `rows` are those since the line before. None for as few steps as
            give `MOST_LINES` at most; a run that goes on, even for longer, keeps those that it began with.
        measure_every: steps between two records of the tasks' gradients; 0 for none.
        logger: gets what the tables get, at each flush.
        total_steps: of the run.
    """

    def __init__(
        self,
        folder: RunFolder,
        tasks: Sequence[str],
        log_every: int | None,
        measure_every: int,
        logger: Logger,
        total_steps: int,
    ) -> None:
        self.statistics = PairStatistics(tasks)
        self.gates = GateRecords(folder)
        self.rows_seen = dict.fromkeys(tasks, 0)
        self.latest: dict[str, float] = {}
        self._of_epoch = dict.fromkeys(tasks, (0.0, 0))  # sum of losses, steps
        self._steps = folder.table(folder.tasks_csv, TASKS)
        self._cosines = folder.table(folder.cosines_csv, COSINES)
        self._asked, self._log_every = log_every, log_every or -(-total_steps // MOST_LINES)
        self._measure_every, self._logger = measure_every, logger
        self._last_measured = -measure_every
        self._pending: list[_Pending] = []
        self._values: list[Tensor] = []
        self._rows_since_line = dict.fromkeys(tasks, 0)
        self._cosine_rows: list[tuple[int, str, str, float]] = []

    def is_due(self, step: int) -> bool:
        """Whether the step is one to be measured. One that brings no Gram matrix, such as a step with held weights
        where another is due, leaves it to the next."""
        return self._measure_every > 0 and step - self._last_measured >= self._measure_every

    def add(self, step: int, trace: Trace, rows: Mapping[str, int], measured: bool) -> None:
        """Note one step; nothing here waits for the device.

        Args:
            rows: labelled rows per active task.
            measured: whether the step was due, and the Gram matrix, if there is one, is to be recorded.
        """
        if measured:
            self._last_measured = step
        lengths: list[float | None] = [None] * len(trace.tasks)
        if measured and trace.gram is not None:
            lengths = [*norms(trace.gram).tolist()]
            pairs = self.statistics.add(trace.tasks, trace.gram, trace.weights)
            self._cosine_rows += [(step, *pair) for pair in pairs]
        for task, count in rows.items():
            self.rows_seen[task] += count
            self._rows_since_line[task] += count
        logged = (measured and trace.gram is not None) or step % self._log_every == 0
        since = [self._rows_since_line[task] for task in trace.tasks]
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
        values = torch.cat(self._values).tolist() if self._values else []  # one copy for all pending steps
        lines: list[tuple[Any, ...]] = []
        broken = None
        place = 0
        for entry in self._pending:
            count = len(entry.tasks)
            losses, place = values[place : place + count], place + count
            weights = [None] * count
            if entry.weighted:
                weights, place = values[place : place + count], place + count
            self.latest.update(zip(entry.tasks, losses))
            for task, loss in zip(entry.tasks, losses):
                total, steps = self._of_epoch[task]
                self._of_epoch[task] = total + loss, steps + 1
            finite = [*map(math.isfinite, losses)]
            if entry.logged or not all(finite):
                lines += zip(repeat(entry.step), entry.tasks, losses, weights, entry.norms, entry.rows)
            if not all(finite):
                broken = entry.tasks[finite.index(False)], entry.step
                break
        self._steps.append(lines)
        self._cosines.append(self._cosine_rows)
        self._log(lines, self.gates.flush())
        self._pending, self._values, self._cosine_rows = [], [], []
        if broken:
            raise NonFiniteError(f"the loss of task '{broken[0]}' is not finite at step {broken[1]}")

    def begin_epoch(self) -> None:
        """Start the means of an epoch."""
        self._of_epoch = dict.fromkeys(self._of_epoch, (0.0, 0))

    def epoch_means(self) -> dict[str, float]:
        """The mean training loss of each task over its steps of the epoch so far. Call after `flush`."""
        return {task: total / steps for task, (total, steps) in self._of_epoch.items() if steps}

    def state_dict(self) -> dict[str, Any]:
        """Call after `flush`."""
        return {
            "of_epoch": dict(self._of_epoch),
            "sizes": [self._steps.size(), self._cosines.size()],
            "last_measured": self._last_measured,
            "log_every": self._log_every,
            "rows_seen": dict(self.rows_seen),
            "since": dict(self._rows_since_line),
            "statistics": self.statistics.state_dict(),
            "gates": self.gates.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; the files are rolled back to it."""
        for table, size in zip((self._steps, self._cosines), state["sizes"]):
            table.truncate(size)
        self._last_measured = state["last_measured"]
        self._log_every = self._asked or state.get("log_every", 1)
        self._of_epoch.update(state["of_epoch"])
        self.rows_seen, self._rows_since_line = dict(state["rows_seen"]), dict(state["since"])
        self.statistics.load_state_dict(state["statistics"])
        self.gates.load_state_dict(state["gates"])

    def clear(self) -> None:
        """Empty the files of a run that starts over."""
        self._steps.truncate(0)
        self._cosines.truncate(0)
        self.gates.load_state_dict({"size": 0, "latest": {}})

    def _log(self, lines: Sequence[tuple[Any, ...]], gates: Sequence[tuple[Any, ...]]) -> None:
        if not self._logger.keeps_figures:
            return
        figures: dict[int, dict[str, float]] = {}
        for step, task, *values, _ in lines:
            named = zip((f"batch/{task}/{name}" for name in ("loss", "weight", "grad_norm")), values)
            figures.setdefault(step, {}).update((name, value) for name, value in named if value is not None)
        for step, task_a, task_b, cosine in self._cosine_rows:
            figures.setdefault(step, {})[f"cosine/{task_a}/{task_b}"] = cosine
        for step, task, gate, expert, weight in gates:
            figures.setdefault(step, {})[f"gate/{task}/{gate}/{expert}"] = weight
        for step in sorted(figures):
            self._logger.log(step, figures[step])


class GateRecords:
    """gates.csv: what the gates of a sharing scheme let through, and the last weights for the summary.

    Makes the table when there is something to write. Of several processes the first one's rows count; with
    micro-batches, those of the last one.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.latest: dict[str, dict[str, list[float]]] = {}
        self._folder = folder
        self._table: CsvTable | None = None
        self._pending: list[tuple[int, str, str, Tensor]] = []

    def add(self, step: int, gates: Mapping[str, Tensor], tasks: Collection[str]) -> None:
        """Note the gates of the tasks that had rows in the step; nothing here waits for the device.

        Args:
            gates: as `Sharing.gates` gives them.
            tasks: others have weights of an earlier step.
        """
        for name, weights in gates.items():
            task, _, gate = name.partition("/")
            if task in tasks:
                self._pending.append((step, task, gate or ALL_STAGES, weights))

    def flush(self) -> list[tuple[Any, ...]]:
        """Write everything out. A process without a row has nothing to average: NaN, which is left out.

        Returns:
            (step, task, gate, expert, weight) of each line.
        """
        lines: list[tuple[Any, ...]] = []
        for step, task, gate, weights in self._pending:
            values = weights.tolist()
            if all(map(math.isfinite, values)):
                lines += [(step, task, gate, expert, value) for expert, value in enumerate(values)]
                self.latest.setdefault(task, {})[gate] = values
        if lines:
            self._opened().append(lines)
        self._pending = []
        return lines

    def state_dict(self) -> dict[str, Any]:
        """Call after `flush`."""
        return {"size": self._table.size() if self._table else 0, "latest": self.latest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; the table, if there is one, is rolled back to it."""
        if self._folder.gates_csv.exists() or state["size"]:  # a lost one is told of
            self._opened().truncate(state["size"])
        self.latest = dict(state["latest"])

    def _opened(self) -> CsvTable:
        if self._table is None:
            self._table = self._folder.table(self._folder.gates_csv, GATES)
        return self._table


class MetricsTable:
    """metrics.csv, and the same for the logger."""

    def __init__(self, folder: RunFolder, logger: Logger) -> None:
        self._table, self._logger = folder.table(folder.metrics_csv, METRICS), logger

    def write(self, epoch: int, step: int, split: str, scores: Mapping[str, Mapping[str, float]]) -> None:
        """Append values by task and metric."""
        rows = [(task, metric, value) for task, values in scores.items() for metric, value in values.items()]
        self._table.append([(epoch, step, split, *row) for row in rows])
        self._logger.log(step, {f"{split}/{task}/{metric}": value for task, metric, value in rows})

    def state_dict(self) -> dict[str, Any]:
        """The whole table, which is short, and by which the run is judged."""
        packed = bytearray(zlib.compress(self._table.content(), 1))
        return {"size": self._table.size(), "content": torch.frombuffer(packed, dtype=torch.uint8)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; the table is rolled back to it, and rebuilt if it was lost."""
        self._table.rebuild(_unpacked(state["content"].numpy().tobytes(), state["size"]))

    def clear(self) -> None:
        """Empty the table of a run that starts over."""
        self._table.truncate(0)


def _unpacked(packed: bytes, size: int) -> bytes:
    """What `zlib.compress` has packed; raises ValueError unless it has this size, without unpacking more than that."""
    unpack = zlib.decompressobj()
    try:
        content = unpack.decompress(packed, size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(content) != size:
        raise ValueError(f"a table of {size} bytes has another size")
    return content
