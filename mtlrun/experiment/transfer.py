"""`init_from`: start a network from what another run has learned, whichever sharing scheme that run had."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.config.origin import origin
from mtlrun.errors import ConfigError, ResumeError
from mtlrun.runs.reader import Run
from mtlrun.sharing.backbone_paths import backbone_paths, stage_of
from mtlrun.sharing.module_names import keys_in, task_key
from mtlrun.training.checkpoint import load
from mtlrun.training.data_check import check_untrained
from mtlrun.training.model import MultiTaskModel
from mtlrun.training.trainer import Trainer

log = logging.getLogger("mtlrun")


@dataclass
class Transfer:
    """What a network took from another: so many tensors of all, and whether anything but counters was among them.

    new: parts that stay as they are initialised -> why, or '' where the other network has no such part.
    unused: parts of the other network of which nothing was taken.
    """

    taken: int = 0
    total: int = 0
    learned: bool = False
    new: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Such as "62 of 64 tensors; new: head of 'sign'; not used: head of 'lane'"."""
        new = ", ".join(f"{part} ({why})" if why else part for part, why in self.new.items())
        unused = ", ".join(self.unused)
        return f"{self.taken} of {self.total} tensors{new and f'; new: {new}'}{unused and f'; not used: {unused}'}"


class Learned:
    """The tensors of another run's network.

    Args:
        tensors: by name.
        paths: the names in the backbone of those that come from one.
        tasks: of that network, in order.
    """

    def __init__(self, tensors: Mapping[str, Tensor], paths: Mapping[str, str], tasks: Sequence[str]) -> None:
        self.tensors, self.tasks, self._paths = tensors, tuple(tasks), paths
        self._at: dict[str, list[str]] = {}
        for name, path in paths.items():
            self._at.setdefault(path, []).append(name)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Learned:
        """From what `mtlrun.training.checkpoint.network_state` has saved."""
        return cls(state["model"], state.get("backbone_paths", {}), state.get("tasks", ()))

    def like(self, name: str, path: str | None, tasks: tuple[str, ...]) -> list[str]:
        """Names of those that can stand for one of a network for `tasks`.

        The one of the same name; or those at the same path in a backbone, in the task's own copy of it if it has one.
        """
        if name in self.tensors:
            return [name]
        there = self._at.get(path, []) if path else []
        keys = {task_key(task) for task in tasks}
        own = keys & keys_in(name) or (keys if len(keys) == 1 else set())
        return [other for other in there if own & keys_in(other)] or there

    def parts(self, names: set[str]) -> list[str]:
        """Labels of all parts, without those that one of the names belongs to."""
        labels = {name: label(name, self._paths.get(name)) for name in self.tensors}
        known = {labels[name] for name in names}
        return [*dict.fromkeys(part for part in labels.values() if part not in known)]


def start_from(word: str, trainer: Trainer, other_data: bool = False) -> None:
    """Give the trainer's network what the run or checkpoint that `word` names has learned, and write that down.

    Raises:
        ConfigError: if there is no network there, or none that this one could take anything from, or, without
            `other_data`, one that was trained on rows that this run tests on.
    """
    path = origin(word)
    try:
        state = load(path)
    except ResumeError as error:
        hint = "; weights of a backbone go to backbone.weights" if "no checkpoint of mtlrun" in str(error) else ""
        raise ConfigError(f"init_from={word}: {error}{hint}") from error
    if not other_data:
        check_untrained(state, trainer.splits, word)
    model = trainer.model
    found = transfer(model, Learned.of(state))
    if not found.learned:
        raise ConfigError(f"init_from={word}: no tensor has a name and shape of this network's: same backbone options?")
    epoch, balancer = state.get("epoch"), Run(path.parent.parent).choices.get("balancer", "unknown")
    level = logging.WARNING if found.new.keys() & {*model.stages()} else logging.INFO  # a fresh stage spoils the rest
    log.log(level, "took %s [%s: balancer %s, epoch %s]", found, path, balancer, epoch)
    trainer.folder.note_origin(path, epoch)


def warn_of_frozen_chance(model: MultiTaskModel) -> None:
    """Warn of frozen stages of a network that starts from nothing."""
    frozen = model.frozen_stages()
    if frozen:
        found = f"{frozen[0]} to {frozen[-1]}" if len(frozen) > 2 else " and ".join(frozen)
        log.warning("%s of the backbone stay as drawn at random: give init_from=RUN, or weights to the backbone", found)


@torch.no_grad()
def transfer(model: MultiTaskModel, learned: Learned) -> Transfer:
    """Copy into the network what has a counterpart of the same shape; where there are several, they must be equal."""
    own, own_paths = _own_tensors(model), backbone_paths(model)
    of_other_tasks = {id(tensor) for tensor in model.sharing.ordered_by_task() if learned.tasks != model.tasks}
    result, used = Transfer(total=len(own)), set[str]()
    for tensor, aliases in own:
        name = aliases[0]
        likes = [learned.like(alias, own_paths.get(alias), model.tasks) for alias in aliases]
        names = [*dict.fromkeys(other for like in likes for other in like)]
        why = _obstacle(tensor, [learned.tensors[other] for other in names])
        if why is None and id(tensor) in of_other_tasks:
            why = "of other tasks"
        if why is None:
            tensor.copy_(learned.tensors[names[0]])
            used.update(names)
            result.taken += 1
            result.learned |= tensor.is_floating_point()
        else:
            part = label(name, own_paths.get(name))
            result.new[part] = result.new.get(part) or why
    result.unused = learned.parts(used)
    return result


def _own_tensors(model: nn.Module) -> list[tuple[Tensor, list[str]]]:
    """Every tensor once, with its names: schemes keep one that several tasks share under a name for each."""
    found: dict[int, tuple[Tensor, list[str]]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        found.setdefault(id(tensor), (tensor, []))[1].append(name)
    return [*found.values()]


def _obstacle(tensor: Tensor, found: list[Tensor]) -> str | None:
    """Why none of `found` can be taken, '' if there is none; None if the first can."""
    if not found:
        return ""
    if any(other.shape != tensor.shape for other in found):
        return "of another shape"
    return None if all(torch.equal(found[0], other) for other in found[1:]) else "several, which differ"


def label(name: str, path: str | None) -> str:
    """The part of a network that a tensor belongs to: a stage of the backbone, a head, or a part of the scheme."""
    if path is not None:
        return stage_of(path)
    top, part = name.split(".")[:2]
    return f"head of '{part.removeprefix(task_key(''))}'" if top == "heads" else f"{top}.{part}"
