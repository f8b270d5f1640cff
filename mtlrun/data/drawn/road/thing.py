"""The contract of everything that stands in a scene."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from mtlrun.data.drawn.road.camera import Spot
from mtlrun.data.drawn.road.pen import RGB, Pen

Flat = tuple[float, float]
"""A point of an upright board: metres to the right of its foot, and up."""


@dataclass(frozen=True, kw_only=True)
class Thing(ABC):
    """Something at a place.

    side: metres right of the road's centre line; ahead: metres from the camera.
    label: what it counts as when it is visible; '' for scenery.
    """

    side: float
    ahead: float
    label: str = ""

    @property
    def depth(self) -> float:
        """Things are painted in decreasing order of this."""
        return self.ahead

    def paint_scenery(self, pen: Pen) -> None:  # noqa: B027 (most things have none)
        """Parts that belong to the scenery, painted just before the thing itself (such as a pole)."""

    @abstractmethod
    def paint(self, pen: Pen) -> None:
        """Draw the thing."""

    def board(self, points: list[Flat]) -> list[Spot]:
        """Points of an upright board at the thing's place, as spots."""
        return [(self.side + across, up, self.ahead) for across, up in points]


@dataclass(frozen=True, kw_only=True)
class Limbs(Thing):
    """A thing with limbs drawn as thick straight strokes."""

    def limb(self, pen: Pen, ends: tuple[Flat, Flat], width: float, colour: RGB) -> None:
        """A stroke between two points of the board, `width` metres thick."""
        (x0, y0), (x1, y1) = ends
        length = max(1e-6, ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5)
        dx, dy = -(y1 - y0) / length * width / 2, (x1 - x0) / length * width / 2
        corners = [(x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)]
        pen.polygon(self.board(corners), colour, solid=True)
