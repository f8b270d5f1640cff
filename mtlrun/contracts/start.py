"""What a run looks at before its first step: a few rows, one forward pass a pool, one backward pass a task.

What is wrong here would train, on wrong gradients or too few rows, or end in an error that names neither the class nor
what it should have done. All promises of a part are in the other files, and `mtlrun check` looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mtlrun.balancers.base import Balancer
from mtlrun.contracts import balancer as balancers
from mtlrun.contracts import sampler as samplers
from mtlrun.contracts.backbone import STAGES
from mtlrun.contracts.matrices import numbers
from mtlrun.contracts.promise import Broken, broken_promise
from mtlrun.contracts.sharing import CLAIMS, OUTPUTS, check_lists, check_outputs
from mtlrun.contracts.source import MASK, SERVES, check_fetched, check_mask
from mtlrun.contracts.task import HEAD, LOSS, check_head, check_losses
from mtlrun.contracts.undisturbed import undisturbed
from mtlrun.data.source import Source
from mtlrun.samplers.base import TrainingProgress
from mtlrun.samplers.batch_sampler import BatchSampler
from mtlrun.samplers.pools import Pool
from mtlrun.training.batches import BatchMaker, fetch
from mtlrun.training.devices import autocast
from mtlrun.training.step import Stepper
from mtlrun.types import Batch

ROWS = 4
"""Rows of each pool, or a whole micro-batch where that is smaller."""
POINTS = 256
"""Points of training, at most, at which the sampler is asked."""


@dataclass(frozen=True)
class Start:
    """A run that is about to train.

    stepper: its network, tasks, engine and precision.
    sampler: its sampler and pools of rows.
    sources: of the training split, on whatever device they lie.
    make_balancer: builds a fresh balancer; the run's own is not asked.
    backbone: name of its class.
    rows: of one micro-batch in one process.
    points: points of training at which the sampler is asked.
    seed: of random augmentation.
    """

    stepper: Stepper
    sampler: BatchSampler
    sources: Sequence[Source]
    make_balancer: Callable[[], Balancer]
    backbone: str
    rows: int
    points: Sequence[TrainingProgress]
    seed: int


def check_start(start: Start) -> None:
    """Look at every part of a run; nothing of it changes.

    Raises:
        BrokenPromise: naming the class, the promise and what was found.
        ConfigError: for answers of the sampler, likewise.
    """
    with undisturbed(start.stepper.model):
        _check_sampler(start)
        _check_balancer(start)
        for source in start.sources:
            _check_masks(source)
        network = _Network(start)
        for pool in start.sampler.pools:
            network.check(pool)


def _kept(kind: str, name: str, words: str, look: Callable[[], object]) -> None:
    """Look, and name the part and the promise where it is broken."""
    try:
        look()
    except Broken as broken:
        raise broken_promise(kind, name, words, str(broken)) from broken


def _named(source: Source) -> str:
    return f"{type(source).__name__} '{source.name}'"


def _check_sampler(start: Start) -> None:
    sampler, sizes = start.sampler.sampler, start.sampler.sizes
    name = type(sampler).__name__
    _kept("sampler", name, samplers.SHARES, lambda: samplers.check_shares(sampler, sizes, start.points))


def _check_balancer(start: Start) -> None:
    """On numbers of its own, as long as the number of tasks: a method's answer has the form that its inputs have."""
    balancer, tasks = start.make_balancer(), tuple(start.stepper.tasks)
    losses, jacobian = numbers(len(tasks) * balancer.batches, dtype=torch.float32)
    losses, jacobian = losses[: len(tasks)].to(start.stepper.device), jacobian.to(start.stepper.device)
    name = type(balancer).__name__
    _kept("balancer", name, balancers.ANSWER, lambda: balancers.check_answer(balancer, losses, jacobian, tasks))


def _check_masks(source: Source) -> None:
    for task in source.tasks:
        _kept("source", _named(source), MASK, partial(check_mask, source, task))


class _Network:
    """The network of a run, its heads and losses, on a few rows of one pool after the other: no more than a step's
    memory, whatever the network."""

    def __init__(self, start: Start) -> None:
        self._start, self._model = start, start.stepper.model
        self._own = {task: self._model.task_parameters(task) for task in self._model.tasks}
        sharing = self._model.sharing
        self._scheme = type(sharing)
        lists = partial(check_lists, sharing.shared_parameters(), self._own)
        _kept("sharing", self._scheme.__name__, CLAIMS, lists)

    def check(self, pool: Pool) -> None:
        """One forward pass, and a backward pass for each of the pool's tasks."""
        stepper, sharing = self._start.stepper, self._model.sharing
        batch = self._batch(pool)
        counts = {task: len(batch.targets[task]) for task in batch.rows}
        with autocast(stepper.device, stepper.precision):
            stages = sharing(batch.inputs, batch.rows)
            _kept(*self._blamed(), lambda: check_outputs(stages, sharing.features, counts))
            for index, task in enumerate(batch.rows):
                number = self._number(task, stages[task], batch.targets[task])
                if number.requires_grad:
                    self._check_claims(task, number, retain=index + 1 < len(batch.rows))

    def _blamed(self) -> tuple[str, str, str]:
        """Who breaks which promise where outputs are not what features say: a scheme of ours hands on what the backbone
        says."""
        if self._scheme.__module__.startswith("mtlrun."):
            return "backbone", self._start.backbone, STAGES
        return "sharing", self._scheme.__name__, OUTPUTS

    def _batch(self, pool: Pool) -> Batch:
        """The first rows of the pool, on the device."""
        start, made = self._start, list[Batch]()
        source = next(source for source in start.sources if source.name == pool.source)
        rows = pool.rows[: max(1, min(ROWS, start.rows))]

        def look() -> None:
            fetched = fetch(source, rows, start.seed, step=0)
            check_fetched(source, rows, fetched[1:])
            made.append(BatchMaker(source, start.stepper.device).make(fetched, pool.tasks))
            check_fetched(source, rows, (made[0].inputs, fetched[2]), prepared=True)

        _kept("source", _named(source), SERVES, look)
        return made[0]

    def _number(self, name: str, stages: Sequence[Tensor], target: Tensor) -> Tensor:
        """A number that depends on all that the task depends on: its losses, looked at on the way, and its stages'
        outputs, whatever its head makes of them."""
        task, head = self._start.stepper.tasks[name], self._model.head(name)
        named = f"{type(task).__name__} '{name}'"
        output = head(stages)
        _kept("task", named, HEAD, lambda: check_head(output, len(target)))
        losses = task.losses(output, target)
        learns = any(value.requires_grad for value in (*stages, *head.parameters()))
        _kept("task", named, LOSS, lambda: check_losses(losses, len(target), learns))
        generator = torch.Generator().manual_seed(0)  # on the CPU, whose draws are the same everywhere
        weights = [torch.randn(stage.shape, generator=generator).to(stage.device) for stage in stages]
        return losses.sum() + sum((stage.float() * weight).sum() for stage, weight in zip(stages, weights))

    def _check_claims(self, task: str, number: Tensor, retain: bool) -> None:
        """No parameter that another task claims as its own may influence this one."""
        others = [
            (other, value) for other, own in self._own.items() for value in own if other != task and value.requires_grad
        ]
        if not others:
            return
        found = torch.autograd.grad(number, [value for _, value in others], retain_graph=retain, allow_unused=True)
        for (other, value), gradient in zip(others, found):
            if gradient is not None and bool((gradient.isfinite() & (gradient != 0)).any()):
                name = next(name for name, known in self._model.named_parameters() if known is value)
                found_here = (
                    f"'{name.removeprefix('sharing.')}' is claimed as the own of '{other}' and influences '{task}'"
                )
                raise broken_promise("sharing", self._scheme.__name__, CLAIMS, found_here)
