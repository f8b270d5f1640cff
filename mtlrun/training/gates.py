"""What the gates of a sharing scheme let through: gates.csv, and the last weights for the summary."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from mtlrun.runs.folder import RunFolder
from mtlrun.runs.records import GATES, Table

ALL_STAGES = "all"
"""Name of the gate of a task that has only one."""


class GateRecords:
    """Keeps weights on the device until `flush`, and makes the table when there is something to write.

    Of several processes the first one's rows count; with micro-batches, those of the last one.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.latest: dict[str, dict[str, list[float]]] = {}
        self._folder = folder
        self._table: Table | None = None
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

    def flush(self) -> None:
        """Write everything out. A process without a row has nothing to average: NaN, which is left out."""
        for step, task, gate, weights in self._pending:
            values = weights.tolist()
            if all(map(math.isfinite, values)):
                self._opened().append([(step, task, gate, expert, value) for expert, value in enumerate(values)])
                self.latest.setdefault(task, {})[gate] = values
        self._pending = []

    def state_dict(self) -> dict[str, Any]:
        """Call after `flush`."""
        return {"size": self._table.size() if self._table else 0, "latest": self.latest}

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Roll the table, if there is one, back to the checkpoint; None empties it."""
        if self._folder.gates_csv.exists():
            self._opened().truncate(state["size"] if state else 0)
        self.latest = dict(state["latest"]) if state else {}

    def _opened(self) -> Table:
        if self._table is None:
            self._table = self._folder.table(self._folder.gates_csv, GATES)
        return self._table
