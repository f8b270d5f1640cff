"""From a configuration to the promises of its parts: what a start looks at, and what `mtlrun check` does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from mtlrun.backbones.base import Backbone
from mtlrun.config.build import build_balancer
from mtlrun.config.build_backbone import build_backbone
from mtlrun.config.build_data import build_data, build_task, merged_kind, with_target
from mtlrun.config.logger_nodes import logger_nodes
from mtlrun.contracts import backbone, balancer, logger, sampler, sharing, source, task
from mtlrun.contracts.promise import Verdict
from mtlrun.contracts.start import POINTS, Start, check_start
from mtlrun.data.source import Source, Splits
from mtlrun.instantiate import instantiate
from mtlrun.loggers.base import Logger
from mtlrun.samplers.base import Sampler
from mtlrun.samplers.pools import make_pools, task_sizes
from mtlrun.sharing.backbone_paths import note_paths
from mtlrun.sharing.base import Sharing
from mtlrun.tasks.base import Task
from mtlrun.training.batches import BatchMaker, fetch
from mtlrun.training.trainer import Trainer
from mtlrun.types import Batch

ROWS = 4
"""Rows that go through a network that is looked at."""


def check_parts_of(config: DictConfig, trainer: Trainer) -> None:
    """What every start looks at, before the first step; nothing of the trainer changes.

    Raises:
        BrokenPromise: naming a class, its promise and what was found.
    """
    settings = config.trainer
    start = Start(
        stepper=trainer.stepper,
        sampler=trainer.sampler,
        sources=trainer.splits.train,
        make_balancer=lambda: build_balancer(config)[0],
        backbone=config.backbone._target_.rpartition(".")[2],
        rows=settings.batch_size // (settings.accumulate * trainer.ranks.size),
        points=sampler.points_of_training(trainer.total_steps, trainer.steps_per_epoch, POINTS),
        seed=config.seed,
    )
    check_start(start)


class Parts:
    """The parts that a configuration names, built as far as their promises need it, on the CPU."""

    def __init__(self, config: DictConfig) -> None:
        self.config = config

    def verdicts(self, group: str) -> Iterator[Verdict]:
        """How the promises of the part that a group of `GROUPS` names come out, one after the other."""
        return GROUPS[group](self)

    def sources(self) -> Iterator[Verdict]:
        splits, _ = self._data
        named = {"train": splits.train, "val": splits.val, "test": splits.test}
        for split, one in ((split, one) for split, sources in named.items() for one in sources):
            yield from source.PROMISES.verdicts(source.SourceSubject(one, split))

    def tasks(self) -> Iterator[Verdict]:
        torch.manual_seed(0)
        scheme = self._make_sharing(tuple(self._data[1])).eval()
        for name in self._data[1]:
            yield from task.PROMISES.verdicts(self._task_subject(name, scheme))

    def backbone(self) -> Iterator[Verdict]:
        subject = backbone.BackboneSubject(self._make_backbone, self._batch(self._largest).inputs)
        return backbone.PROMISES.verdicts(subject)

    def sharing(self) -> Iterator[Verdict]:
        inputs, strided = self._batch(self._largest).inputs, not self._make_backbone().fixed_size
        inputs = torch.cat([inputs] * ROWS)[:ROWS]  # a source may have fewer rows
        subject = sharing.SharingSubject(self._make_sharing, inputs, tuple(self._data[1]), strided)
        return sharing.PROMISES.verdicts(subject)

    def sampler(self) -> Iterator[Verdict]:
        splits, tasks = self._data
        sizes = task_sizes(make_pools(splits.train, tasks), list(tasks))
        subject = sampler.SamplerSubject(lambda: instantiate(self.config.sampler, "sampler", Sampler), sizes)
        return sampler.PROMISES.verdicts(subject)

    def balancer(self) -> Iterator[Verdict]:
        subject = balancer.BalancerSubject(lambda: build_balancer(self.config)[0], self._names)
        return balancer.PROMISES.verdicts(subject)

    def logger(self) -> Iterator[Verdict]:
        for key, node in logger_nodes(self.config).items():

            def make(folder: Path, config: dict[str, Any], key: str = key, node: Any = node) -> Logger:
                return instantiate(node, key, Logger, folder=folder, config=config)

            name = node._target_.rpartition(".")[2]
            yield from logger.PROMISES.verdicts(logger.LoggerSubject(make, _plain(self.config), name))

    @cached_property
    def _data(self) -> tuple[Splits, dict[str, Task]]:
        return build_data(self.config)

    @property
    def _names(self) -> tuple[str, ...]:
        """Of the tasks; where the configuration has them, the data is not touched."""
        if self.config.tasks is not None:
            return tuple(self.config.tasks)
        return tuple(self._data[1]) if self.config.task.inferred else tuple(_plain(self.config.task.tasks))

    @property
    def _largest(self) -> Source:
        """The training source with the largest rows, for which backbones are built."""
        return max(self._data[0].train, key=lambda source: math.prod(source.input_shape))

    def _make_backbone(self) -> Backbone:
        return note_paths(build_backbone(self.config.backbone, self._largest))

    def _make_sharing(self, tasks: Sequence[str]) -> Sharing:
        return instantiate(self.config.sharing, "sharing", Sharing, backbone=self._make_backbone, tasks=tuple(tasks))

    def _task_subject(self, name: str, scheme: Sharing) -> task.TaskSubject:
        sources = [source for source in self._data[0].train if name in source.tasks]
        where = next(source for source in sources if source.labelled(name).any())
        batch = self._batch(where, name)
        with torch.no_grad():
            stages = scheme(batch.inputs, {name: None})[name]
        labels = torch.cat([source.targets(name) for source in sources])
        kind = merged_kind(with_target(self._inferred.get(name, {})), _plain(self.config.task.tasks).get(name))
        make = partial(build_task, name, kind)
        return task.TaskSubject(make, labels, batch.targets[name], stages, scheme.features, where.input_shape)

    @cached_property
    def _inferred(self) -> dict[str, dict[str, object]]:
        return instantiate(self.config.data, "data", Splits).inferred

    def _batch(self, source: Source, name: str | None = None) -> Batch:
        """The first rows of a source, those that are labelled for a task if one is named."""
        rows = torch.arange(len(source)) if name is None else source.labelled(name).nonzero().squeeze(1)
        fetched = fetch(source, rows[:ROWS], seed=0, step=0)
        return BatchMaker(source, torch.device("cpu")).make(fetched, () if name is None else (name,))


GROUPS: dict[str, Callable[[Parts], Iterator[Verdict]]] = {
    "data": Parts.sources,
    "task": Parts.tasks,
    "backbone": Parts.backbone,
    "sharing": Parts.sharing,
    "sampler": Parts.sampler,
    "balancer": Parts.balancer,
    "logger": Parts.logger,
}
"""Groups whose parts make promises, in the order in which a run builds them."""


def _plain(node: DictConfig) -> dict[str, Any]:
    found = OmegaConf.to_container(node, resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}
