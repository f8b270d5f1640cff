"""Start a network from what another run has learned, whichever sharing scheme that run had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mtlrun.sharing.keys import task_key
from mtlrun.sharing.places import places, stage_of
from mtlrun.training.model import MultiTaskModel


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
        places: the names in the backbone of those that come from one.
    """

    def __init__(self, tensors: Mapping[str, Tensor], places: Mapping[str, str]) -> None:
        self.tensors, self._places = tensors, places
        self._at: dict[str, list[str]] = {}
        for name, place in places.items():
            self._at.setdefault(place, []).append(name)

    def like(self, name: str, place: str | None, tasks: tuple[str, ...]) -> list[str]:
        """Names of those that can stand for one of a network for `tasks`.

        The one of the same name; or those at the same place in a backbone, in the task's own copy of it if it has one.
        """
        if name in self.tensors:
            return [name]
        there = self._at.get(place, []) if place else []
        keys = {task_key(task) for task in tasks}
        own = keys & set(name.split(".")) or (keys if len(keys) == 1 else set())
        return [other for other in there if own & set(other.split("."))] or there

    def parts(self, names: set[str]) -> list[str]:
        """Labels of all parts, without those that one of the names belongs to."""
        labels = {name: label(name, self._places.get(name)) for name in self.tensors}
        known = {labels[name] for name in names}
        return [*dict.fromkeys(part for part in labels.values() if part not in known)]


@torch.no_grad()
def transfer(model: MultiTaskModel, learned: Learned) -> Transfer:
    """Copy into the network what has a counterpart of the same shape; where there are several, they must be equal."""
    own, own_places = model.state_dict(), places(model)
    result, used = Transfer(total=len(own)), set[str]()
    for name, tensor in own.items():
        names = learned.like(name, own_places.get(name), model.tasks)
        why = _obstacle(tensor, [learned.tensors[other] for other in names])
        if why is None:
            tensor.copy_(learned.tensors[names[0]])
            used.update(names)
            result.taken += 1
            result.learned |= tensor.is_floating_point()
        else:
            part = label(name, own_places.get(name))
            result.new[part] = result.new.get(part) or why
    result.unused = learned.parts(used)
    return result


def _obstacle(tensor: Tensor, found: list[Tensor]) -> str | None:
    """Why none of `found` can be taken, '' if there is none; None if the first can."""
    if not found:
        return ""
    if any(other.shape != tensor.shape for other in found):
        return "of another shape"
    return None if all(torch.equal(found[0], other) for other in found[1:]) else "several, which differ"


def label(name: str, place: str | None) -> str:
    """The part of a network that a tensor belongs to: a stage of the backbone, a head, or a part of the scheme."""
    if place is not None:
        return stage_of(place)
    top, part = name.split(".")[:2]
    return f"head of '{part.removeprefix(task_key(''))}'" if top == "heads" else f"{top}.{part}"
