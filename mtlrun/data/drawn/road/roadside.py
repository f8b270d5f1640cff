"""Traffic signs and traffic lights on their poles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from mtlrun.data.drawn.road.pen import RGB, Pen, shade
from mtlrun.data.drawn.road.signs import SIGNS, Face
from mtlrun.data.drawn.road.thing import Flat, Thing

STEEL: RGB = (130, 134, 138)
LAMPS: list[RGB] = [(255, 48, 36), (255, 190, 40), (60, 240, 130)]


@dataclass(frozen=True, kw_only=True)
class Sign(Thing):
    """A sign on a pole. radius: half the plate; up: of its middle, metres; yaw: radians off the driver."""

    face: Face
    radius: float
    up: float
    yaw: float

    def paint_scenery(self, pen: Pen) -> None:
        pole = [(-0.05, 0.0), (0.05, 0.0), (0.05, self.up), (-0.05, self.up)]
        pen.polygon(self.board(pole), STEEL, solid=True)

    def paint(self, pen: Pen) -> None:
        across, ahead = self.radius * math.cos(self.yaw), self.radius * math.sin(self.yaw)
        small = pen.camera.pixels(2 * self.radius, self.ahead) < 4
        for layer, (polygon, colour) in enumerate(self.face[: 3 if small else None]):
            spots = [(self.side + across * x, self.up + self.radius * y, self.ahead + ahead * x) for x, y in polygon]
            pen.polygon(spots, colour, solid=layer == 0, glow=25)


@dataclass(frozen=True, kw_only=True)
class TrafficLight(Thing):
    """Three lamps in a housing, on a pole at the kerb or on an arm over the road.

    up: of the housing's lower edge, metres; arm: length of the arm from the pole at the right, 0 for none;
    state: which lamp is lit, 0 red, 1 amber, 2 green; rim: whether the back plate has a light edge.
    """

    up: float
    arm: float
    state: int
    rim: bool
    label: str = "traffic_light"

    def paint_scenery(self, pen: Pen) -> None:
        foot = self.arm
        top = self.up + (1.1 if self.arm else 0.2)
        pole = [(foot - 0.07, 0.0), (foot + 0.07, 0.0), (foot + 0.07, top), (foot - 0.07, top)]
        pen.polygon(self.board(pole), shade(STEEL, 0.6), solid=True)
        if self.arm:
            arm = [(-0.1, top - 0.12), (foot, top - 0.12), (foot, top), (-0.1, top)]
            pen.polygon(self.board(arm), shade(STEEL, 0.6), solid=True)

    def paint(self, pen: Pen) -> None:
        half, high = 0.36, 1.7
        if self.rim:
            pen.polygon(self.board(self._box(half + 0.1, -0.1, high + 0.1)), (226, 196, 70), solid=True)
        pen.polygon(self.board(self._box(half, 0.0, high)), (28, 30, 30), solid=True)
        for lamp, colour in enumerate(LAMPS):
            lit = lamp == self.state
            centre = (self.side, self.up + high * (5 - 2 * lamp) / 6, self.ahead)
            radius = 0.25 if lit else 0.2
            pen.ellipse(centre, (radius, radius), colour if lit else shade(colour, 0.22), glow=255 if lit else 0)

    def _box(self, half: float, low: float, high: float) -> list[Flat]:
        return [
            (-half, self.up + low),
            (half, self.up + low),
            (half, self.up + high),
            (-half, self.up + high),
        ]


def random_sign(rng: Random, kind: str, side: float, ahead: float) -> Sign:
    """A sign of the given class; only stop signs carry a label in a scene."""
    label = "stop_sign" if kind == "stop" else ""
    return Sign(
        side=side,
        ahead=ahead,
        label=label,
        face=SIGNS[kind](rng),
        radius=rng.uniform(0.45, 0.58),
        up=rng.uniform(2.0, 2.6),
        yaw=rng.uniform(-0.5, 0.5),
    )


def random_light(rng: Random, edge: float, ahead: float) -> TrafficLight:
    """A traffic light at the kerb, `edge` metres right of the centre line, or on an arm over the road."""
    state, rim = rng.choices([0, 1, 2], [5, 1, 4])[0], rng.random() < 0.4
    if ahead > 15 and rng.random() < 0.45:
        side = rng.uniform(0.3, 0.8) * edge
        return TrafficLight(
            side=side, ahead=ahead, up=rng.uniform(4.2, 4.8), arm=edge + 0.8 - side, state=state, rim=rim
        )
    side = rng.choice([-1, 1, 1]) * (edge + rng.uniform(0.4, 1.0))
    return TrafficLight(side=side, ahead=ahead, up=rng.uniform(2.2, 2.7), arm=0.0, state=state, rim=rim)
