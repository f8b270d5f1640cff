"""How far a run is, by its files alone: from another process, another machine, over a network file system."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlrun.runs.reader import Run
from mtlrun.runs.records import read_columns

_TAIL_BYTES = 4096


@dataclass(frozen=True)
class RunProgress:
    """Epochs done of all, or steps where the run is limited by steps.

    seconds_left: by the mean duration of a step, evaluation and start included; None as long as it is not known.
    """

    done: int
    total: int | None
    unit: str
    seconds_left: float | None = None

    def words(self) -> str:
        """Such as '12/20, 0:40 left' or '300/5000 steps'."""
        count = f"{self.done}/{'?' if self.total is None else self.total}{' steps' if self.unit == 'step' else ''}"
        return count if self.seconds_left is None else f"{count}, {_clock(self.seconds_left)} left"


def read_progress(run: Run, trainer: Mapping[str, Any]) -> RunProgress:
    """Of a run whose settings of the trainer are these.

    Times are those that the file system wrote down, so that clocks of two machines need not agree.
    """
    epochs_done, step_then = _last_epoch(run.path)
    step = max(_last_step(run.path / "tasks.csv"), step_then)
    limit, epochs = _integer(trainer.get("max_steps")), _integer(trainer.get("epochs"))
    by_epochs = epochs * step_then / epochs_done if epochs and epochs_done else None
    steps = min((value for value in (limit, by_epochs) if value is not None), default=None)
    left = None if steps is None else _seconds_left(run, step, steps)
    return RunProgress(step, limit, "step", left) if limit else RunProgress(epochs_done, epochs, "epoch", left)


def _last_epoch(folder: Path) -> tuple[int, int]:
    """How many epochs were evaluated, and the step after the last of them."""
    table = read_columns(folder / "metrics.csv")
    ends = [
        (int(epoch) + 1, int(step))
        for epoch, step, split in zip(*(table.get(name, []) for name in ("epoch", "step", "split")))
        if split == "val" and isinstance(epoch, int | float) and isinstance(step, int | float)
    ]
    return max(ends, default=(0, 0))


def _last_step(table: Path) -> int:
    """Of the last whole line; 0 where there is none."""
    try:
        with table.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return 0
    number = lines[-1].partition(b",")[0] if lines else b""
    return int(number) if number.isdigit() else 0


def _seconds_left(run: Run, step: int, steps: float) -> float | None:
    first = _first_step(run)
    start = max((_changed(path) for path in (run.path / ".hydra").glob("*.yaml")), default=0.0)
    now = max(_changed(run.path / name) for name in ("tasks.csv", "metrics.csv"))
    if step <= first or now <= start or not start:
        return None
    return max(0.0, (now - start) / (step - first) * (steps - step))


def _first_step(run: Run) -> int:
    """The step that the run was last continued from; 0 for one that never was."""
    resumed = run.info.get("resumed") or [{}]
    return _integer(resumed[-1].get("step")) or 0


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _clock(seconds: float) -> str:
    """Such as 0:07 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
