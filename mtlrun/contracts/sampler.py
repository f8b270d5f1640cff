"""What every sampler promises: a pure function of the progress of training, whose answers are shares."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from mtlrun.contracts.promise import Broken, Promises, demand
from mtlrun.errors import ConfigError
from mtlrun.samplers.answers import checked_probabilities
from mtlrun.samplers.base import Sampler, TrainingProgress
from mtlrun.samplers.batch_sampler import BatchSampler
from mtlrun.samplers.pools import Pool

PART = "sampler"
SHARES = "the probabilities are of the run's tasks and sum to 1"

_STEPS, _STEPS_PER_EPOCH, _BATCH = 200, 20, 16
_FRESH = 9  # a fresh sampler is asked at every ninth point: it takes longer to build one than to ask it


@dataclass(frozen=True)
class SamplerSubject:
    """A sampler to look at. make: builds a fresh one. sizes: task -> its labelled training rows."""

    make: Callable[[], Sampler]
    sizes: Mapping[str, int]

    @property
    def name(self) -> str:
        return type(self.make()).__name__


PROMISES: Promises[SamplerSubject] = Promises(PART)


def check_sampler(make: Callable[[], Sampler], sizes: Mapping[str, int]) -> None:
    """Raise BrokenPromise, with one line, for the first promise that the sampler breaks.

    Args:
        make: builds a fresh sampler at each call.
        sizes: task -> number of its training rows.
    """
    PROMISES.check(SamplerSubject(make, sizes))


def points_of_training(
    steps: int = _STEPS, steps_per_epoch: int = _STEPS_PER_EPOCH, most: int = _STEPS
) -> list[TrainingProgress]:
    """At most so many points of training, the first and the last step among them."""
    count = min(steps, most)
    chosen = sorted({number * (steps - 1) // max(1, count - 1) for number in range(count)})
    return [TrainingProgress(step, step // steps_per_epoch, step / steps) for step in chosen]


def check_shares(sampler: Sampler, sizes: Mapping[str, int], points: Sequence[TrainingProgress]) -> None:
    """Look at the answers at some points of training.

    Raises:
        ConfigError: for the first one that is no distribution over the tasks.
        Broken: if the share of rows in use is none.
    """
    for point in points:
        checked_probabilities(sampler, sizes, point)
        share = sampler.share_in_use(point)
        demand(0 < share <= 1, f"share_in_use() is {share} at step {point.step}, not above 0 and at most 1")


@PROMISES(SHARES)
def answers_are_shares(subject: SamplerSubject) -> None:
    sampler = subject.make()
    try:
        sampler.check(subject.sizes)
        check_shares(sampler, subject.sizes, points_of_training())
    except ConfigError as error:
        raise Broken(str(error).partition("': ")[2] or str(error)) from error


@PROMISES("the same point of training gets the same answer, whatever was asked before")
def is_a_pure_function(subject: SamplerSubject) -> None:
    sampler, points = subject.make(), points_of_training()
    forward = [sampler.probabilities(subject.sizes, point) for point in points]
    backward = [sampler.probabilities(subject.sizes, point) for point in points[::-1]][::-1]
    wrong = [point.step for point, one, other in zip(points, forward, backward) if one != other]
    for point, one in zip(points[::_FRESH], forward[::_FRESH]):
        wrong += [] if subject.make().probabilities(subject.sizes, point) == one else [point.step]
    demand(not wrong, f"another answer at step {min(wrong, default=0)}: a resumed run would draw other rows")


@PROMISES("it leaves the sizes and torch's global generator alone")
def touches_nothing(subject: SamplerSubject) -> None:
    sizes, state = dict(subject.sizes), torch.get_rng_state()
    sampler = subject.make()
    for point in points_of_training():
        sampler.probabilities(sizes, point)
    demand(sizes == dict(subject.sizes), f"the sizes became {sizes}")
    demand(torch.equal(state, torch.get_rng_state()), "it draws random numbers")


@PROMISES("every batch is full, and supervises the active tasks")
def batches_are_full(subject: SamplerSubject) -> None:
    batches = _batch_sampler(subject)
    for point in points_of_training():
        active = {task for task, share in batches.sampler.probabilities(subject.sizes, point).items() if share > 0}
        drawn = batches.next(point)
        count = sum(map(len, drawn.rows.values()))
        demand(count == _BATCH, f"{count} rows of {_BATCH} at step {point.step}")
        demand({*drawn.tasks} == active, f"tasks {sorted(drawn.tasks)} at step {point.step}, not {sorted(active)}")


@PROMISES("every task is drawn as often as its probability says, to within two rows")
def long_run_shares_are_exact(subject: SamplerSubject) -> None:
    batches = _batch_sampler(subject)
    counts, wanted = dict.fromkeys(subject.sizes, 0), dict.fromkeys(subject.sizes, 0.0)
    dropped = set[str]()
    for point in points_of_training():
        answer = batches.sampler.probabilities(subject.sizes, point)
        dropped |= {task for task in subject.sizes if wanted[task] and not answer.get(task)}  # their debt is forgiven
        for task, rows in batches.next(point).rows.items():
            counts[task] += len(rows)
        for task, share in answer.items():
            wanted[task] += share * _BATCH
    for task in subject.sizes:
        slack = 2 + len(dropped)
        demand(abs(counts[task] - wanted[task]) <= slack, f"{counts[task]} rows of '{task}', not {wanted[task]:.0f}")


@PROMISES("a saved drawing of rows goes on exactly")
def resumes_exactly(subject: SamplerSubject) -> None:
    straight, second, points = _batch_sampler(subject), _batch_sampler(subject), points_of_training()
    half = len(points) // 2
    for point in points[:half]:
        straight.next(point)
    second.load_state_dict(copy.deepcopy(straight.state_dict()))
    for point in points[half:]:
        one, other = straight.next(point).rows, second.next(point).rows
        same = [*one] == [*other] and all(torch.equal(one[name], other[name]) for name in one)
        demand(same, f"other rows at step {point.step}")


def _batch_sampler(subject: SamplerSubject) -> BatchSampler:
    """Of a source for each task."""
    pools = [Pool(task, (task,), torch.arange(size)) for task, size in subject.sizes.items()]
    return BatchSampler(subject.make(), pools, [*subject.sizes], _BATCH, seed=0)
