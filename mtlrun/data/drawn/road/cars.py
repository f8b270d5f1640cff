"""Cars from behind or from the front: boxes in perspective with a cabin, windows, lights and wheels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from mtlrun.data.drawn.road.pen import RGB, Pen, shade
from mtlrun.data.drawn.road.thing import Thing

PAINTS: list[RGB] = [
    (225, 225, 228), (35, 37, 42), (120, 124, 130), (172, 176, 180), (168, 30, 34), (40, 70, 140),
    (215, 180, 40), (45, 100, 62), (110, 72, 46), (90, 150, 190), (205, 100, 30), (70, 30, 60),
]  # fmt: skip

GLASS: RGB = (52, 64, 78)
TYRE: RGB = (22, 22, 24)
UNDERSIDE: RGB = (14, 14, 16)


@dataclass(frozen=True)
class Body:
    """Proportions in metres: waist is the height of the bonnet; decks lie before and behind the cabin."""

    width: float
    height: float
    length: float
    waist: float
    near_deck: float
    far_deck: float


SALOON = Body(1.8, 1.45, 4.4, 0.88, 0.7, 1.2)
HATCHBACK = Body(1.75, 1.5, 3.9, 0.9, 0.1, 1.0)
OFFROADER = Body(1.95, 1.8, 4.6, 1.08, 0.1, 1.2)
VAN = Body(2.0, 2.2, 5.0, 1.15, 0.05, 0.6)
TRUCK = Body(2.35, 3.1, 7.0, 1.1, 0.05, 0.3)


@dataclass(frozen=True, kw_only=True)
class Car(Thing):
    """A motor vehicle. `oncoming` shows its front; `lit` turns its lights on."""

    body: Body
    paint_colour: RGB
    oncoming: bool
    lit: bool
    label: str = "car"

    def paint(self, pen: Pen) -> None:
        self._shadow(pen)
        self._deck(pen)
        self._flank(pen)
        self._cabin(pen)
        self._face(pen)

    def _shadow(self, pen: Pen) -> None:
        half, far = self.body.width / 2 + 0.15, self.ahead + self.body.length
        near = self.ahead - 0.3
        ground = [(-half, near), (half, near), (half, far), (-half, far)]
        pen.shadow([(self.side + across, 0.0, ahead) for across, ahead in ground], 0.6)

    def _deck(self, pen: Pen) -> None:
        body, half, far = self.body, self.body.width / 2, self.ahead + self.body.length
        corners = [(-half, self.ahead), (half, self.ahead), (half, far), (-half, far)]
        level = [(self.side + across, body.waist, ahead) for across, ahead in corners]
        pen.polygon(level, shade(self.paint_colour, 1.1), solid=True)

    def _flank(self, pen: Pen) -> None:
        """The side that faces the camera: sheet metal, windows and wheels."""
        body, far = self.body, self.ahead + self.body.length
        edge = self._visible_edge(pen)
        low, colour = 0.22, shade(self.paint_colour, 0.72)
        sheet = [(low, self.ahead), (low, far), (body.waist, far), (body.waist, self.ahead)]
        pen.polygon([(edge, up, ahead) for up, ahead in sheet], colour, solid=True)
        cabin = self._cabin_profile()
        inner = self.side + (edge - self.side) * 0.85
        pen.polygon([(inner, up, ahead) for up, ahead in cabin], colour, solid=True)
        if pen.camera.pixels(body.height, self.ahead) < 7:
            return
        middle_up = sum(up for up, _ in cabin) / 4
        middle = sum(ahead for _, ahead in cabin) / 4
        pane = [(middle_up + (up - middle_up) * 0.75, middle + (a - middle) * 0.85) for up, a in cabin]
        pen.polygon([(inner, up, ahead) for up, ahead in pane], shade(GLASS, 0.8))
        for ahead in (self.ahead + 0.2 * body.length, self.ahead + 0.8 * body.length):
            self._wheel(pen, edge, ahead)

    def _cabin_profile(self) -> list[tuple[float, float]]:
        body, near, far = self.body, self.ahead + self.body.near_deck, self.ahead + self.body.length
        slant = 0.25 * (body.height - body.waist)
        top_far = far - body.far_deck - 2 * slant
        return [
            (body.waist, near),
            (body.waist, far - body.far_deck),
            (body.height, top_far),
            (body.height, near + slant),
        ]

    def _wheel(self, pen: Pen, edge: float, ahead: float) -> None:
        turns = [2 * math.pi * step / 8 for step in range(8)]
        rim = [(edge, 0.33 + 0.33 * math.sin(turn), ahead + 0.33 * math.cos(turn)) for turn in turns]
        pen.polygon(rim, TYRE, solid=True)

    def _cabin(self, pen: Pen) -> None:
        """The window end that faces the camera."""
        body, half = self.body, self.body.width / 2
        base, top = (
            self.ahead + body.near_deck,
            self.ahead + body.near_deck + 0.25 * (body.height - body.waist),
        )
        wall = [
            (-0.93, body.waist, base),
            (0.93, body.waist, base),
            (0.8, body.height, top),
            (-0.8, body.height, top),
        ]
        spots = [(self.side + half * across, up, ahead) for across, up, ahead in wall]
        pen.polygon(spots, shade(self.paint_colour, 0.92), solid=True)
        rise = body.height - body.waist
        low, high = body.waist + 0.12 * rise, body.height - 0.16 * rise
        pane = [(-0.8, low, base), (0.8, low, base), (0.7, high, top), (-0.7, high, top)]
        pen.polygon([(self.side + half * across, up, ahead) for across, up, ahead in pane], GLASS)

    def _face(self, pen: Pen) -> None:
        """The end that faces the camera: wheels, sheet metal, bumper, lights, number plate."""
        half, waist = self.body.width / 2, self.body.waist
        self._panel(pen, (-0.9, 0.9), (0.0, 0.3), UNDERSIDE, solid=True)
        for left in (-0.92, 0.56):
            self._panel(pen, (left, left + 0.36), (0.0, 0.4), TYRE, solid=True)
        self._panel(pen, (-1.0, 1.0), (0.25, waist), self.paint_colour, solid=True)
        if pen.camera.pixels(2 * half, self.ahead) < 5:
            return self._lamps(pen)
        self._panel(pen, (-1.0, 1.0), (0.22, 0.42), shade(self.paint_colour, 0.5))
        if self.oncoming:
            self._panel(pen, (-0.5, 0.5), (0.45, waist - 0.2), (30, 32, 36))
        self._panel(pen, (-0.26, 0.26), (0.42, 0.55), (222, 222, 210))
        return self._lamps(pen)

    def _lamps(self, pen: Pen) -> None:
        colour = (255, 250, 215) if self.oncoming else ((255, 40, 30) if self.lit else (170, 20, 24))
        glow = (255 if self.oncoming else 220) if self.lit else 0
        waist = self.body.waist
        for left in (-0.95, 0.63):
            self._panel(pen, (left, left + 0.32), (waist - 0.26, waist - 0.06), colour, glow=glow)

    def _panel(
        self,
        pen: Pen,
        across: tuple[float, float],
        up: tuple[float, float],
        colour: RGB,
        solid: bool = False,
        glow: int = 0,
    ) -> None:
        """A rectangle on the near face; `across` from -1 to 1, `up` in metres."""
        half = self.body.width / 2
        left, right = across[0] * half, across[1] * half
        corners = [(left, up[0]), (right, up[0]), (right, up[1]), (left, up[1])]
        pen.polygon(self.board(corners), colour, solid, glow)

    def _visible_edge(self, pen: Pen) -> float:
        half = self.body.width / 2
        return self.side - half if pen.camera.lateral(self.side, self.ahead) > 0 else self.side + half


def random_car(rng: Random, side: float, ahead: float, oncoming: bool, lit: bool) -> Car:
    """A car of a random make and paint."""
    body = rng.choices([SALOON, HATCHBACK, OFFROADER, VAN, TRUCK], [4, 4, 3, 2, 1])[0]
    paint = shade(rng.choice(PAINTS), rng.uniform(0.85, 1.1))
    return Car(side=side, ahead=ahead, body=body, paint_colour=paint, oncoming=oncoming, lit=lit)


def room_for(first: Car, second: Car) -> bool:
    """Whether two cars do not stand in one another."""
    apart = abs(first.side - second.side) > 0.5 * (first.body.width + second.body.width) + 0.2
    front, back = (first, second) if first.ahead < second.ahead else (second, first)
    return apart or front.ahead + front.body.length + 1.0 < back.ahead
