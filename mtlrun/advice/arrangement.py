"""Ways to put tasks into networks, as settings: together, apart, in groups, or otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, Literal

Kind = Literal["together", "apart", "groups", "film", "split", "wider"]
Groups = tuple[tuple[str, ...], ...]
"""Tasks that share a network, group by group."""

_WIDTHS = ("hidden", "channels", "width")
"""Options of backbones that say how wide they are."""


@dataclass(frozen=True)
class Arrangement:
    """A way to put the tasks into networks.

    name: what it is called in tables and files. words: the settings that it takes beside the user's own.
    """

    kind: Kind
    name: str
    words: tuple[str, ...]

    @property
    def keeps_balancer(self) -> bool:
        """Networks of one task each have nothing to balance."""
        return self.kind != "apart"


TOGETHER = Arrangement("together", "together", ("sharing=hard",))
APART = Arrangement("apart", "apart", ("sharing=independent", "balancer=equal"))


def in_groups(groups: Groups) -> Arrangement:
    """A network for each group."""
    written = ",".join(f"[{','.join(group)}]" for group in groups)
    return Arrangement("groups", f"groups {written}", ("sharing=groups", f"sharing.groups=[{written}]"))


def sharing_less(stages: Sequence[str]) -> list[Arrangement]:
    """For tasks that pull one network apart: a scale and shift for each, and copies of the last stage."""
    film = Arrangement("film", "film", ("sharing=film",))
    if len(stages) < 2:
        return [film]
    return [film, Arrangement("split", f"branches after {stages[-2]}", ("sharing=hard", f"sharing.split={stages[-2]}"))]


def wider(backbone: Mapping[str, Any], tasks: int) -> list[Arrangement]:
    """One network with about as many parameters as `tasks` of the configured ones; [] where no option widens it."""
    if backbone.get("weights") or backbone.get("folder"):
        return []  # published weights have one width
    factor = max(2, ceil(sqrt(tasks)))
    words = [f"backbone.{key}={_times(backbone[key], factor)}" for key in _WIDTHS if _is_width(backbone.get(key))]
    return [Arrangement("wider", f"{factor} times as wide", ("sharing=hard", *words))] if words else []


def _is_width(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(entry, int) and not isinstance(entry, bool) for entry in values)


def _times(value: Any, factor: int) -> str:
    return f"[{','.join(str(entry * factor) for entry in value)}]" if isinstance(value, list) else str(value * factor)
