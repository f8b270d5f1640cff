"""What every source of rows promises. Shapes: N rows in all, B rows asked for."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlrun.contracts.promise import Broken, Promises, Skipped, demand
from mtlrun.data.source import Source, Splits

PART = "source"
SERVES = "rows come with their inputs, of input_shape, and a label for each of its tasks"
MASK = "labelled() is a truth value for each row, on the CPU"


@dataclass(frozen=True)
class SourceSubject:
    """A source to look at.

    split: of which it is, for the line.
    rows: how many to ask for at once, where it has as many.
    """

    source: Source
    split: str = ""
    rows: int = 6

    @property
    def name(self) -> str:
        return f"{type(self.source).__name__} '{self.source.name}'" + (f" ({self.split})" if self.split else "")

    def some(self) -> Tensor:
        """Row numbers spread over the source, not in order."""
        count = min(self.rows, len(self.source))
        spread = torch.arange(count) * len(self.source) // count
        return spread[torch.randperm(count, generator=torch.Generator().manual_seed(0))]


PROMISES: Promises[SourceSubject] = Promises(PART)


def check_source(source: Source) -> None:
    """Raise BrokenPromise, with one line, for the first promise that the source breaks."""
    PROMISES.check(SourceSubject(source))


def check_splits(load: Callable[[], Splits]) -> None:
    """`check_source` of every source of every split.

    Args:
        load: as the `_target_` of a data set is called.
    """
    splits = load()
    for source in (*splits.train, *splits.val, *splits.test):
        check_source(source)


def check_mask(source: Source, task: str) -> Tensor:
    """`source.labelled(task)`.

    Raises:
        Broken: unless it is bool [N] on the CPU.
    """
    mask = source.labelled(task)
    demand(isinstance(mask, Tensor), f"labelled('{task}') is a {type(mask).__name__}, not a tensor")
    found = f"labelled('{task}') is {mask.dtype} {list(mask.shape)} on {mask.device}"
    fits = mask.dtype == torch.bool and mask.shape == (len(source),) and mask.device.type == "cpu"
    demand(fits, f"{found}, not torch.bool [{len(source)}] on cpu")
    return mask


def check_fetched(source: Source, rows: Tensor, fetched: object, prepared: bool = False) -> None:
    """Look at what `fetch(rows)` returned, its inputs raw or prepared.

    Raises:
        Broken: for what is missing or has another number of rows.
    """
    pair = isinstance(fetched, Sequence) and len(fetched) == 2
    demand(pair, f"fetch() returns a {type(fetched).__name__}, not (inputs, targets)")
    assert isinstance(fetched, Sequence)
    inputs, targets = fetched
    demand(isinstance(inputs, Tensor), f"the inputs of fetch() are a {type(inputs).__name__}, not a tensor")
    demand(isinstance(targets, dict), f"the targets of fetch() are a {type(targets).__name__}, not a dict by task")
    shape, wanted = list(inputs.shape), [len(rows), *source.input_shape]
    if prepared:
        demand(shape == wanted, f"inputs of shape {shape} for {len(rows)} rows, and input_shape says {wanted}")
    demand(len(inputs) == len(rows), f"inputs of shape {shape} for {len(rows)} rows")
    for task in source.tasks:
        demand(task in targets, f"no targets of '{task}', one of its tasks (there are: {', '.join(targets)})")
        target = targets[task]
        demand(isinstance(target, Tensor), f"the targets of '{task}' are a {type(target).__name__}, not a tensor")
        demand(len(target) == len(rows), f"{len(target)} targets of '{task}' for {len(rows)} rows")


@PROMISES("it has a name, rows, and tasks that it labels")
def names_itself(subject: SourceSubject) -> None:
    source = subject.source
    demand(isinstance(source.name, str) and source.name, f"its name is {source.name!r}")
    demand(len(source) > 0, "it has no rows")
    demand(source.tasks and not isinstance(source.tasks, str), f"its tasks are {source.tasks!r}, not a tuple of names")
    demand(isinstance(source.input_shape, tuple), f"its input_shape is {source.input_shape!r}, not a tuple")


@PROMISES(MASK)
def masks_fit(subject: SourceSubject) -> None:
    for task in subject.source.tasks:
        check_mask(subject.source, task)


@PROMISES(SERVES)
def serves_rows(subject: SourceSubject) -> None:
    source, rows = subject.source, subject.some()
    fetched = source.fetch(rows)
    check_fetched(source, rows, fetched)
    check_fetched(source, rows, (source.prepare(fetched[0]), fetched[1]), prepared=True)


@PROMISES("the order in which rows are asked for is the order in which they come")
def keeps_the_order(subject: SourceSubject) -> None:
    source, rows = subject.source, subject.some()
    if not source.in_memory:
        raise Skipped("rows that are not in memory may be augmented")
    inputs, targets = source.fetch(rows)
    for index in range(len(rows)):
        input_, target = source.fetch(rows[index : index + 1])
        same = _same(input_[0], inputs[index])
        demand(same, f"row {int(rows[index])} has other inputs alone than among others")
        for task in source.tasks:
            demand(
                _same(target[task][0], targets[task][index]), f"another label of '{task}' for row {int(rows[index])}"
            )


@PROMISES("the same draws give the same rows")
def repeats_itself(subject: SourceSubject) -> None:
    made = []
    for _ in range(2):
        torch.manual_seed(0)
        made.append(subject.source.fetch(subject.some()))
    (inputs, targets), (others, other_targets) = made
    demand(_same(inputs, others), "other inputs the second time: draw from torch's global generator")
    wrong = next((task for task in targets if not _same(targets[task], other_targets[task])), None)
    demand(wrong is None, f"other labels of '{wrong}' the second time")


@PROMISES("targets() gives the labelled rows")
def targets_are_labelled(subject: SourceSubject) -> None:
    source = subject.source
    for task in source.tasks:
        count, labelled = len(source.targets(task)), int(source.labelled(task).sum())
        fits = count == labelled if source.in_memory else 0 < count <= labelled or not labelled
        demand(fits, f"{count} targets of '{task}', and {labelled} labelled rows")


@PROMISES("it can be sent to data workers")
def can_be_sent(subject: SourceSubject) -> None:
    if subject.source.in_memory:
        raise Skipped("it is in memory")
    try:
        pickle.dumps(subject.source)
    except Exception as error:
        raise Broken(f"it cannot be pickled: {type(error).__name__}: {error}") from error


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))
