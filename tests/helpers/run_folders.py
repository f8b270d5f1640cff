"""Run folders as training leaves them, with any number of tasks."""

from __future__ import annotations

import json
import math
import platform
import random
from pathlib import Path
from typing import Any

from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run
from mtlrun.runs.records import COSINES, GATES, METRICS, TASKS, CsvTable


def write_run(path: Path, num_tasks: int, epochs: int = 10, steps_per_epoch: int = 60, seed: int = 0) -> Run:
    """A finished run: noisy, falling losses, gradients measured each 10 steps, odd tasks regressions."""
    draw = random.Random(seed)
    folder = RunFolder(path)
    folder.start(["mtlrun", f"seed={seed}"], seed=seed)
    tasks = [f"task{number:02d}" for number in range(num_tasks)]
    scale = {task: math.exp(draw.gauss(0, 0.7)) for task in tasks}
    _write_steps(folder, tasks, scale, epochs * steps_per_epoch, draw)
    _write_epochs(folder, tasks, scale, epochs, steps_per_epoch, draw)
    folder.write_summary(_summary(tasks, epochs, steps_per_epoch, draw))
    folder.finish("finished")
    return Run(path)


def is_regression(task: str) -> bool:
    return task[-1] in "13579"


def _write_steps(folder: RunFolder, tasks: list[str], scale: dict[str, float], steps: int, draw: random.Random) -> None:
    per_task, pairs = CsvTable(folder.tasks_csv, TASKS), CsvTable(folder.cosines_csv, COSINES)
    gates = CsvTable(folder.gates_csv, GATES)
    for step in range(1, steps + 1):
        measured = step % 10 == 0
        fall = math.exp(-4 * step / steps)
        per_task.append(
            (
                step,
                task,
                scale[task] * (0.1 + fall) * draw.lognormvariate(0, 0.2),
                math.exp(0.5 * math.log(1 / scale[task]) * step / steps),
                scale[task] * fall * draw.lognormvariate(0, 0.3) if measured else None,
                draw.randint(0, 9),
            )
            for task in tasks
        )
        if measured:
            shares = {task: draw.random() for task in tasks}
            gates.append((step, task, "all", 0, shares[task]) for task in tasks)
            gates.append((step, task, "all", 1, 1 - shares[task]) for task in tasks)
            pairs.append(
                (step, a, b, math.tanh(draw.gauss(0.3 * math.cos(i - 2 * j), 0.15)))
                for i, a in enumerate(tasks)
                for j, b in enumerate(tasks[:i])
            )


def _write_epochs(
    folder: RunFolder,
    tasks: list[str],
    scale: dict[str, float],
    epochs: int,
    length: int,
    draw: random.Random,
) -> None:
    table = CsvTable(folder.metrics_csv, METRICS)
    for epoch in range(1, epochs + 1):
        fall = math.exp(-4 * epoch / epochs)
        for task in tasks:
            good = 1 - 0.8 * fall - 0.02 * draw.random()
            names = (
                {"rmse": fall + 0.1, "r2": good} if is_regression(task) else {"accuracy": good, "macro_f1": good - 0.05}
            )
            train, val = scale[task] * (0.1 + fall), scale[task] * (0.13 + fall + 0.004 * epoch)
            table.append((epoch, epoch * length, "val", task, name, value) for name, value in names.items())
            table.append([(epoch, epoch * length, "train", task, "loss", train)])
            table.append([(epoch, epoch * length, "val", task, "loss", val)])
            table.append([(epoch, epoch * length, "val", task, "gap", val - train)])
        table.append([(epoch, epoch * length, "val", "all", "score", 1 - fall)])
    table.append(
        (epochs - 1, (epochs - 1) * length, "test", task, "rmse" if is_regression(task) else "accuracy", 0.9)
        for task in tasks
    )


def _summary(tasks: list[str], epochs: int, length: int, draw: random.Random) -> dict[str, object]:
    def results(task: str) -> dict[str, float]:
        if is_regression(task):
            return {"rmse": draw.random(), "r2": draw.random(), "loss": draw.random()}
        return {"accuracy": draw.random(), "macro_f1": draw.random(), "loss": draw.random()}

    def entry(task: str) -> dict[str, object]:
        metric = "rmse" if is_regression(task) else "accuracy"
        best = {"test": results(task), "val": results(task)}
        return {"metric": metric, "higher_is_better": metric == "accuracy", "best": best, "last": best}

    return {
        "tasks": {task: entry(task) for task in tasks},
        "best_epoch": epochs - 1,
        "last_epoch": epochs,
        "steps": epochs * length,
        "pairs": [],
        "conflict_share": 0.25,
        "wall_seconds": 61.5,
        "rows_per_second": 12345.6,
        "peak_memory_bytes": 3 * 2**28,
    }


def write_result(
    path: Path,
    scores: dict[str, float],
    *,
    seed: int = 0,
    balancer: str = "equal",
    sharing: str = "hard",
    settings: dict[str, Any] | None = None,
    resumed: list[str] | None = None,
    status: str = "finished",
    error: str | None = None,
    commit: str = "a" * 40,
    lower: tuple[str, ...] = (),
    summary: dict[str, Any] | None = None,
    task: dict[str, Any] | None = None,
) -> Path:
    """A run folder with what a report reads: accuracy per task on test rows, the same on validation rows."""
    hydra = path / ".hydra"
    hydra.mkdir(parents=True)
    target = "mtlrun.sharing.independent.Independent" if sharing == "independent" else f"mtlrun.sharing.{sharing}.Any"
    config = {
        "seed": seed,
        "data": {"_target_": "some.data", "seed": 0},
        "backbone": {"_target_": "some.Net"},
        "sharing": {"_target_": target},
        "balancer": {"_target_": f"some.{balancer}", "seed": "${seed}"},
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.001},
        "trainer": {"epochs": 2, "max_steps": None, "batch_size": 64, "accumulate": 1},
        "diagnostics": {"every": None},
    }
    overrides = ["task=digits", f"balancer={balancer}", f"sharing={sharing}", f"seed={seed}"]
    for key, value in (settings or {}).items():
        *above, last = key.split(".")
        inner: Any = config
        for part in above:
            inner = inner[part]
        inner[last] = value
        overrides.append(f"{key}={value}")
    choices = {"task": "digits", "balancer": balancer, "sharing": sharing, "backbone": "net"}
    (hydra / "config.yaml").write_text(json.dumps(config))
    lines = "".join(f"      {group}: {choice}\n" for group, choice in choices.items())
    (hydra / "hydra.yaml").write_text(f"hydra:\n  runtime:\n    choices:\n{lines}  verbose: false\n")
    (hydra / "overrides.yaml").write_text(json.dumps(overrides))
    if resumed:
        (hydra / "resume-2026-01-01.yaml").write_text(json.dumps(resumed))
    record = {"status": status, "error": error, "seed": seed, "git": {"commit": commit}, "end": "2026-01-01T00:00:00"}
    (path / "run.json").write_text(json.dumps({**record, "host": platform.node(), "pid": 2**22 + 1}))
    if status == "finished":
        tasks = {name: _score(value, name not in lower, task or {}) for name, value in scores.items()}
        times = {"best_score": sum(scores.values()), "best_epoch": 0, "last_epoch": 1, "wall_seconds": 60.0}
        (path / "summary.json").write_text(json.dumps({"tasks": tasks, **times, **(summary or {})}))
    return path


def _score(value: float, higher: bool, more: dict[str, Any]) -> dict[str, Any]:
    moment = {"test": {"accuracy": value, "loss": 1.0}, "val": {"accuracy": value, "loss": 1.0}}
    last = {"test": {"accuracy": value / 2, "loss": 1.0}, "val": {"accuracy": value / 2, "loss": 1.0}}
    return {"metric": "accuracy", "higher_is_better": higher, "best": moment, "last": last, **more}
