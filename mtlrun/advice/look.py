"""Reads the facts of stage 0 off the built data, and measures a few steps. Loads torch."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import chain, combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from mtlrun.advice.facts import Facts, PairFacts, TaskFacts
from mtlrun.advice.lengths import training_length
from mtlrun.config.build import build
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.data.label_warnings import AGREEMENT, FEWEST
from mtlrun.data.source import Fingerprint, Source, Splits
from mtlrun.experiment.measure import hours
from mtlrun.runs.folder import RunFolder
from mtlrun.tasks.base import Task
from mtlrun.training.trainer import Trainer

_BY_PROGRESS = ("mtlrun.samplers.curriculum", "mtlrun.samplers.examples")
SPLITS = ("train", "val", "test")


def look(together: Sequence[str], apart: Sequence[str]) -> Facts:
    """Of the joint run with these settings, and the single-task one.

    Raises:
        MtlrunError: if one of them cannot be built.
    """
    began = time.perf_counter()
    with built(together) as trainer:
        start, splits, settings = time.perf_counter() - began, trainer.splits, trainer.settings
        data = rows_told(splits.fingerprint)
        tasks, pairs = tuple(_tasks(trainer)), tuple(_pairs([*trainer.tasks], splits))
        length = training_length(settings.epochs, settings.max_steps, trainer.steps_per_epoch)
        stages, steps, joint = tuple(trainer.model.stages()), trainer.total_steps, hours(trainer)
    with built(apart) as trainer:
        both = {"together": joint, "apart": hours(trainer)}
    return Facts(tasks, pairs, stages, length, both, steps, is_steady(compose(together)), start, data)


def rows_told(known: Fingerprint) -> str:
    """A text that is the same for the same rows; sums to so many digits that another processor does not change them."""
    parts = [
        (split, entry["name"], entry["rows"], entry["digest"], [f"{one:.3g}" for one in chain(*entry["sums"].values())])
        for split, entries in sorted(known.items())
        for entry in entries
    ]
    return sha256(repr(parts).encode()).hexdigest()


def is_steady(config: DictConfig) -> bool:
    """Whether nothing follows the length of the run: a scheduler's option that is null, or a sampler's stages."""
    options = OmegaConf.to_container(config.scheduler)
    assert isinstance(options, dict)
    return None not in options.values() and not str(config.sampler.get("_target_")).startswith(_BY_PROGRESS)


@contextmanager
def built(words: Sequence[str]) -> Iterator[Trainer]:
    """A trainer in a folder that goes away with it, and without a word on the terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with TemporaryDirectory() as folder:
            yield build(without_hydra(compose([*words, "logger=csv"])), RunFolder(Path(folder)))
    finally:
        logging.disable(disabled)


def _tasks(trainer: Trainer) -> Iterator[TaskFacts]:
    for name, task in trainer.tasks.items():
        rows = {split: _count(name, getattr(trainer.splits, split)) for split in SPLITS}
        most = _most(task, trainer.splits.train)
        yield TaskFacts(name, type(task).__name__, task.judge, rows, most)


def _count(task: str, sources: Sequence[Source]) -> int:
    return sum(int(source.labelled(task).sum()) for source in sources if task in source.tasks)


def _most(task: Task, sources: Sequence[Source]) -> float | None:
    """Share of the most frequent class, where a row has one."""
    found = [source.targets(task.name) for source in sources if task.name in source.tasks and source.labels_in_memory]
    if not found or any(target.is_floating_point() or target.dim() > 1 for target in found):
        return None
    _, counts = torch.cat([target.cpu() for target in found]).unique(return_counts=True)
    return float(counts.max() / counts.sum())


def _pairs(names: Sequence[str], splits: Splits) -> Iterator[PairFacts]:
    for a, b in combinations(names, 2):
        common = sum(_common(source, a, b) for source in splits.train if {a, b} <= {*source.tasks})
        labels = {
            split: both for split in SPLITS if (both := _labels_of_both(getattr(splits, split), a, b)) is not None
        }
        equal = equal_shares(labels)
        scaled = "train" in labels and equal.get("train") != 1.0 and is_scaled(*labels["train"])
        yield PairFacts(a, b, common, equal, scaled)


def _common(source: Source, a: str, b: str) -> int:
    return int((source.labelled(a) & source.labelled(b)).sum())


def _labels_of_both(sources: Sequence[Source], a: str, b: str) -> tuple[Tensor, Tensor] | None:
    """The labels of two tasks on the rows that have both; None where they are not in memory, or of unlike shapes."""
    parts: dict[str, list[Tensor]] = {a: [], b: []}
    for source in sources:
        if {a, b} <= {*source.tasks} and source.labels_in_memory:
            for task, other in ((a, b), (b, a)):
                kept = source.labelled(other)[source.labelled(task)]
                parts[task].append(source.targets(task).cpu()[kept])
    if not parts[a] or parts[a][0].shape[1:] != parts[b][0].shape[1:]:
        return None
    return torch.cat(parts[a]), torch.cat(parts[b])


def equal_shares(labels: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
    """By split, the share of rows with equal labels; {} for too few training rows, or labels of unlike kinds.

    Where the training rows have the same classes under other names, all splits are compared under these names.

    Args:
        labels: by split, those of two tasks [n, ...] on the rows that both have.
    """
    if "train" not in labels:
        return {}
    first, second = labels["train"]
    if len(first) < FEWEST or first.is_floating_point() != second.is_floating_point():
        return {}
    names = translation(first, second)
    return {split: _share(one, _named(other, names)) for split, (one, other) in labels.items() if len(one)}


def translation(first: Tensor, second: Tensor) -> dict[int, int] | None:
    """Class of the second -> class of the first, where each class of one is one class of the other; else None."""
    if first.is_floating_point() or first.dim() > 1:
        return None
    pairs = torch.stack([second, first], 1).unique(dim=0)
    found = dict(pairs.tolist())
    return found if len(pairs) == len(found) == len(first.unique()) > 1 else None


def _named(labels: Tensor, names: Mapping[int, int] | None) -> Tensor:
    if names is None:
        return labels
    return torch.tensor([names.get(label, -1) for label in labels.tolist()], dtype=labels.dtype)


def _share(first: Tensor, second: Tensor) -> float:
    same = torch.isclose(first, second, equal_nan=True) if first.is_floating_point() else first == second
    return float(same.flatten(1).all(1).double().mean() if same.dim() > 1 else same.double().mean())


def is_scaled(first: Tensor, second: Tensor) -> bool:
    """Whether two columns of numbers differ in unit, zero or sign alone."""
    numbers = first.is_floating_point() and second.is_floating_point() and first.squeeze(-1).dim() == 1
    if not numbers or len(first) < FEWEST:
        return False
    table = torch.stack([first.squeeze(-1), second.squeeze(-1)]).double()
    return bool(torch.corrcoef(table)[0, 1].abs() >= AGREEMENT)
