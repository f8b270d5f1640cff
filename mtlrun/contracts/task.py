"""What every task promises: a head, a loss for each row, metrics, and the one that judges it. Shapes: n rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.contracts.promise import Promises, Skipped, demand, near
from mtlrun.errors import choose
from mtlrun.tasks.base import Task, compute_metrics, metric_names
from mtlrun.training.merge import EvaluationPart, TaskEvaluation, merged
from mtlrun.types import Feature

PART = "task"
HEAD = "its head gives an output for each row"
LOSS = "its loss is one number for each row, with a graph behind it"


@dataclass(frozen=True)
class TaskSubject:
    """A task to look at.

    make: builds a fresh one, not yet fitted.
    labels: training labels [N, ...].
    targets: of n rows of them, n >= 2.
    stages: what the backbone and sharing scheme put out for these rows, as `features` describes it.
    features, input_shape: as heads are made from.
    """

    make: Callable[[], Task]
    labels: Tensor
    targets: Tensor
    stages: Sequence[Tensor]
    features: Sequence[Feature]
    input_shape: tuple[int, ...]

    @property
    def name(self) -> str:
        task = self.make()
        return f"{type(task).__name__} '{task.name}'"

    def task(self) -> Task:
        """Checked and fitted, as in a run."""
        task = self.make()
        task.check(self.labels)
        task.fit(self.labels)
        return task

    def head(self, task: Task) -> nn.Module:
        torch.manual_seed(0)
        return task.make_head(self.features, self.input_shape)

    def output(self, task: Task) -> Any:
        return self.head(task)(list(self.stages))


PROMISES: Promises[TaskSubject] = Promises(PART)


def check_task(
    make: Callable[[], Task],
    labels: Tensor,
    stages: Sequence[Tensor],
    features: Sequence[Feature],
    input_shape: tuple[int, ...],
) -> None:
    """Raise BrokenPromise, with one line, for the first promise that the task breaks.

    Args:
        make: builds a fresh task at each call.
        labels: training labels [N, ...].
        stages: stage outputs for the first n rows of them, n >= 2.
        features: what these outputs are.
        input_shape: of one row.
    """
    PROMISES.check(TaskSubject(make, labels, labels[: len(stages[-1])], stages, features, input_shape))


def check_head(output: object, rows: int) -> None:
    """A tensor has a row for each row; other forms, such as a dict of tensors, are the kind's own affair.

    Raises:
        Broken: if it has more or fewer.
    """
    demand(output is not None, "it returns None")
    if isinstance(output, Tensor):
        shape = list(output.shape)
        demand(output.dim() > 0 and len(output) == rows, f"it returns shape {shape} for {rows} rows")


def check_losses(losses: object, rows: int, learns: bool) -> None:
    """A floating-point tensor [n], that gradients flow through if something learns.

    Raises:
        Broken: if it is none.
    """
    demand(isinstance(losses, Tensor), f"losses() returns a {type(losses).__name__}, not a tensor")
    assert isinstance(losses, Tensor)
    demand(list(losses.shape) == [rows], f"losses() returns shape {list(losses.shape)} for {rows} rows, not [{rows}]")
    demand(losses.is_floating_point(), f"losses() returns {losses.dtype}")
    demand(losses.requires_grad or not learns, "nothing that learns influences it: is something detached?")


@PROMISES("it takes its own training labels, and one of its metrics judges")
def takes_its_labels(subject: TaskSubject) -> None:
    task = subject.task()
    names = [known for name, metric in task.make_metrics().items() for known in metric_names(name, metric)]
    choose(task.judge, names, "metric to judge by")
    task.higher_is_better()


@PROMISES(HEAD)
def head_gives_rows(subject: TaskSubject) -> None:
    check_head(subject.output(subject.task()), len(subject.targets))


@PROMISES(LOSS)
def loss_is_per_row(subject: TaskSubject) -> None:
    task = subject.task()
    stages = [stage.detach().requires_grad_(stage.is_floating_point()) for stage in subject.stages]
    losses = task.losses(subject.head(task)(stages), subject.targets)
    check_losses(losses, len(subject.targets), learns=True)
    demand(losses.isfinite().all(), f"losses {losses.tolist()} of an untrained head")


@PROMISES("its loss is at least single precision, whatever the network's")
def loss_is_precise(subject: TaskSubject) -> None:
    task = subject.task()
    with torch.autocast("cpu", torch.bfloat16):
        losses = task.losses(subject.output(task), subject.targets)
    demand(losses.dtype in (torch.float32, torch.float64), f"{losses.dtype} under autocast")
    demand(losses.isfinite().all(), f"losses {losses.tolist()} under autocast")


@PROMISES("a row's loss does not depend on the other rows")
def rows_stand_alone(subject: TaskSubject) -> None:
    task = subject.task()
    head = subject.head(task).eval()
    whole = task.losses(head(list(subject.stages)), subject.targets)
    for row in range(len(subject.targets)):
        one = task.losses(head([stage[row : row + 1] for stage in subject.stages]), subject.targets[row : row + 1])
        demand(
            near(one, whole[row : row + 1], 1e-3),
            f"row {row} has {whole[row].item():.6g} among others, {one[0].item():.6g} alone",
        )


@PROMISES("no rows are fine: a process may have none")
def no_rows_are_fine(subject: TaskSubject) -> None:
    task = subject.task()
    losses = task.losses(subject.head(task).eval()([stage[:0] for stage in subject.stages]), subject.targets[:0])
    demand(list(losses.shape) == [0], f"losses() returns shape {list(losses.shape)} for no rows, not [0]")


@PROMISES("metrics come fresh, take the head's output, and compute one number each")
def metrics_compute(subject: TaskSubject) -> None:
    task = subject.task()
    scores = _scores(task, task.make_metrics(), subject, [len(subject.targets)])
    choose(task.judge, scores, "metric computed, to judge by")
    again = _scores(task, task.make_metrics(), subject, [len(subject.targets)])
    demand(_alike(scores, again), f"{scores}, then {again}: make_metrics() must not hand out used ones")


@PROMISES("metrics are the same over two batches as over one")
def metrics_add_up(subject: TaskSubject) -> None:
    task, rows = subject.task(), len(subject.targets)
    whole = _scores(task, task.make_metrics(), subject, [rows])
    parts = _scores(task, task.make_metrics(), subject, [1, rows - 1])
    demand(_alike(whole, parts), f"{whole} in one, {parts} in two")


@PROMISES("metrics gathered by two processes and put together are those of one")
def metrics_merge(subject: TaskSubject) -> None:
    task, rows = subject.task(), torch.arange(len(subject.targets))
    whole = _scores(task, task.make_metrics(), subject, [len(rows)])
    parts = [_part(task, subject, rows[process::2]) for process in range(2)]
    found = compute_metrics(merged(task.make_metrics(), parts).metrics)
    demand(_alike(whole, found), f"{whole} of one, {found} of two: see make_metrics() for what its states may be")


def _part(task: Task, subject: TaskSubject, rows: Tensor) -> EvaluationPart:
    """What a process gathers from these rows."""
    metrics, targets = task.make_metrics(), subject.targets[rows]
    with torch.no_grad():
        output = subject.head(task).eval()([stage[rows] for stage in subject.stages])
        task.update_metrics(metrics, output, targets)
        return TaskEvaluation(metrics, [task.losses(output, targets)], [rows]).part()


def _scores(task: Task, metrics: Mapping[str, Any], subject: TaskSubject, sizes: Sequence[int]) -> dict[str, float]:
    """Of the subject's rows, in batches of these sizes."""
    head, start = subject.head(task).eval(), 0
    for size in sizes:
        rows = slice(start, start + size)
        with torch.no_grad():
            output = head([stage[rows] for stage in subject.stages])
        task.update_metrics(metrics, output, subject.targets[rows])
        start += size
    return compute_metrics(metrics)


def _alike(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    both_nan = {name for name in one if math.isnan(one[name]) and math.isnan(other.get(name, 0.0))}
    close = (math.isclose(one[name], other[name], rel_tol=1e-3, abs_tol=1e-5) for name in one.keys() - both_nan)
    return one.keys() == other.keys() and all(close)


@PROMISES("predictions have the form of the labels, and can be put into words")
def predictions_read(subject: TaskSubject) -> None:
    task = subject.task()
    with torch.no_grad():
        predictions = task.predict(subject.output(task))
    demand(len(predictions) == len(subject.targets), f"{len(predictions)} predictions for {len(subject.targets)} rows")
    words = task.describe(predictions[0]), task.describe(subject.targets[0])
    demand(all(isinstance(word, str) for word in words), f"describe() gives {words}")
    right = task.is_right(subject.targets[0], predictions[0])
    demand(right is None or isinstance(right, bool), f"is_right() gives {right!r}, not true, false or None")


@PROMISES("fitting twice is fitting once")
def fitting_is_repeatable(subject: TaskSubject) -> None:
    once, twice = subject.task(), subject.task()
    twice.fit(subject.labels)
    one, other = (task.losses(subject.output(task), subject.targets) for task in (once, twice))
    if not one.isfinite().all():
        raise Skipped("its losses are not finite")
    demand(near(one, other), "other losses after fit() was called again")
