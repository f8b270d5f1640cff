"""summary.json: what a run is judged and compared by."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from mtlrun.training.devices import peak_memory_bytes
from mtlrun.training.evaluate import Scores
from mtlrun.training.split_facts import split_facts
from mtlrun.training.trainer import Trainer


def summarise(trainer: Trainer, test: dict[str, Scores]) -> dict[str, Any]:
    """The summary; `test` holds the test scores at 'best' and 'last'."""
    recorder = trainer.recorder
    statistics, rows, seconds = recorder.statistics, recorder.rows_seen, trainer.stopwatch.seconds
    return {
        "tasks": {task: _task(trainer, test, task) for task in trainer.tasks},
        "best_epoch": trainer.selection.best_epoch,
        "best_score": trainer.selection.best_score,
        "selection": trainer.selection.stated(),
        "last_epoch": trainer.position.epoch,
        "steps": trainer.position.step,
        "pairs": statistics.pairs(),
        "conflict_share": statistics.conflict_share(),
        "gates": recorder.gates.latest,
        "wall_seconds": seconds,
        "rows_per_second": trainer.position.step * trainer.sampler.batch_size / seconds if seconds else None,
        "rows": dict(rows),
        "solver_fallbacks": trainer.engine.balancer.fallbacks,
        "solver_guards": trainer.engine.balancer.guarded,
        "peak_memory_bytes": peak_memory_bytes(trainer.stepper.device),
        "parameters": count_parameters(trainer),
    }


def final_scores(summary: dict[str, Any]) -> dict[str, float]:
    """What loggers keep of a summary, by names such as 'best/test/lane/iou': scores at the best epoch and at the last.

    With them 'best/epoch', and 'best/score', by which it was chosen.
    """
    scores = {
        f"{moment}/{split}/{task}/{metric}": float(value)
        for task, entry in summary["tasks"].items()
        for moment in ("best", "last")
        for split, metrics in entry[moment].items()
        for metric, value in metrics.items()
    }
    return scores | {"best/epoch": float(summary["best_epoch"]), "best/score": float(summary["best_score"])}


def _task(trainer: Trainer, test: dict[str, Scores], name: str) -> dict[str, Any]:
    task, rows, validation = trainer.tasks[name], trainer.recorder.rows_seen, trainer.selection.validation
    moments = {moment: {"val": validation[moment][name], "test": test[moment][name]} for moment in ("best", "last")}
    return {
        "metric": task.judge,
        "higher_is_better": task.higher_is_better(),
        "quoted": task.quoted,
        "directions": {**task.directions},
        "counted": [*task.counted],
        **split_facts(task, trainer.splits),
        **moments,
        **({"mean_of_last": _mean_of_last(trainer, name)} if trainer.settings.test_last > 1 else {}),
        "gap": moments["last"]["val"].get("gap"),
        "rows_share": rows[name] / max(sum(rows.values()), 1),
        "update_share": trainer.recorder.statistics.update_shares()[name],
    }


def _mean_of_last(trainer: Trainer, task: str) -> dict[str, Any]:
    """Number of the last epochs with test scores, and the mean of each metric over them."""
    scores = [tests[task] for tests in trainer.test_scores.late()]
    return {"epochs": len(scores), "test": {metric: fmean(test[metric] for test in scores) for metric in scores[0]}}


def count_parameters(trainer: Trainer) -> dict[str, Any]:
    """Numbers of parameters: shared ones, and each task's own, which learn; and frozen ones."""
    groups, model = trainer.engine.groups, trainer.model
    return {
        "shared": sum(parameter.numel() for parameter in groups.shared),
        "per_task": {task: sum(parameter.numel() for parameter in own) for task, own in groups.task_specific.items()},
        "frozen": sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad),
    }
