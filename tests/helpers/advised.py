"""Made-up scores and facts for tests of an advice: nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtlrun.advice.facts import Facts, PairFacts, TaskFacts
from mtlrun.advice.lengths import TrainingLength
from mtlrun.reporting.entries import Entry, TaskScore


def scored(name: str, scores: Mapping[str, Sequence[float]], val: Mapping[str, float] | None = None) -> list[Entry]:
    """Runs of seeds 0, 1, ... with an error for each task, lower is better; `val` on validation rows, or the same."""
    count = len(next(iter(scores.values())))
    return [
        Entry(
            f"runs/{name}/{seed}",
            {"networks": name},
            seed,
            "finished",
            {task: _score(values[seed], (val or {}).get(task, values[seed])) for task, values in scores.items()},
            seconds=2.0,
        )
        for seed in range(count)
    ]


def _score(test: float, val: float) -> TaskScore:
    return TaskScore("rmse", False, {"rmse": test}, {"rmse": val}, {"rmse": False})


def facts_of(rows: Mapping[str, int], pairs: Sequence[PairFacts] = (), full: int = 40, **more: Any) -> Facts:
    """Regressions with so many training rows."""
    tasks = tuple(
        TaskFacts(name, "Regression", "rmse", {"train": count, "val": 400, "test": 400}) for name, count in rows.items()
    )
    hours = {"together": 0.01, "apart": 0.02}
    length = TrainingLength("trainer.epochs", full)
    return Facts(
        tasks, tuple(pairs), more.pop("stages", ("layer1",)), length, hours, 5 * full, more.pop("steady", True)
    )
