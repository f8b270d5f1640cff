"""Pedestrians and cyclists."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mtlrun.data.drawn.road.pen import RGB, Pen, shade
from mtlrun.data.drawn.road.thing import Flat, Limbs

SKINS: list[RGB] = [(232, 190, 160), (205, 155, 120), (150, 100, 70), (95, 62, 45)]
HAIRS: list[RGB] = [(40, 28, 20), (90, 60, 35), (170, 130, 70), (130, 130, 130), (20, 20, 22)]
CLOTHES: list[RGB] = [
    (200, 50, 50), (45, 75, 150), (235, 235, 230), (30, 32, 38), (220, 170, 50), (60, 120, 80),
    (150, 80, 150), (235, 120, 60), (110, 160, 200), (120, 100, 80),
]  # fmt: skip
NEON: list[RGB] = [(200, 240, 40), (250, 245, 60), (140, 250, 90)]
TROUSERS: list[RGB] = [(38, 44, 66), (28, 28, 32), (96, 84, 66), (70, 74, 80), (52, 70, 100)]


@dataclass(frozen=True)
class Clothes:
    """Colours of a person."""

    skin: RGB
    hair: RGB
    shirt: RGB
    trousers: RGB


def random_clothes(rng: Random, shirts: list[RGB]) -> Clothes:
    """Somebody's colours."""
    return Clothes(rng.choice(SKINS), rng.choice(HAIRS), rng.choice(shirts), rng.choice(TROUSERS))


@dataclass(frozen=True, kw_only=True)
class Pedestrian(Limbs):
    """Somebody on foot. height: metres; stride (of a foot) and coat (height of its hem) in body heights."""

    height: float
    stride: float
    coat: float
    clothes: Clothes
    label: str = "pedestrian"

    def paint(self, pen: Pen) -> None:
        clothes, stride = self.clothes, self.stride
        wide = 0.25 * self.height
        pen.shadow([(self.side + x, 0.0, self.ahead + z) for x, z in ((-wide, -0.2), (wide, -0.2), (0.0, 0.4))], 0.5)
        for side in (-1, 1):
            self._part(pen, ((side * 0.055, 0.5), (side * (0.04 + stride), 0.0)), 0.1, clothes.trousers)
        for side in (-1, 1):
            swing = side * (0.15 + 0.6 * stride)
            self._part(pen, ((side * 0.12, 0.79), (swing, 0.46)), 0.07, shade(clothes.shirt, 0.75))
        trunk = [(-0.11, self.coat), (0.11, self.coat), (0.15, 0.82), (-0.15, 0.82)]
        pen.polygon(self.board([self._scaled(point) for point in trunk]), clothes.shirt, solid=True)
        self._head(pen)

    def _head(self, pen: Pen) -> None:
        height = self.height
        centre = (self.side, 0.91 * height, self.ahead)
        pen.ellipse(centre, (0.072 * height, 0.09 * height), self.clothes.skin, solid=True)
        pen.ellipse((self.side, 0.95 * height, self.ahead), (0.076 * height, 0.055 * height), self.clothes.hair)

    def _part(self, pen: Pen, ends: tuple[Flat, Flat], width: float, colour: RGB) -> None:
        self.limb(pen, (self._scaled(ends[0]), self._scaled(ends[1])), width * self.height, colour)

    def _scaled(self, point: Flat) -> Flat:
        return point[0] * self.height, point[1] * self.height


@dataclass(frozen=True, kw_only=True)
class Cyclist(Limbs):
    """Somebody on a bicycle, seen from behind. `lean` shifts the shoulders, in metres."""

    lean: float
    frame: RGB
    helmet: RGB
    clothes: Clothes
    label: str = "cyclist"

    def paint(self, pen: Pen) -> None:
        self._shadow(pen)
        pen.ellipse((self.side, 0.34, self.ahead), (0.06, 0.34), (25, 25, 28), solid=True)
        self.limb(pen, ((0.0, 0.4), (0.0, 0.95)), 0.08, self.frame)
        for side in (-1, 1):
            self.limb(pen, ((side * 0.1, 0.95), (side * 0.17, 0.32 + 0.12 * side)), 0.14, self.clothes.trousers)
            self.limb(pen, ((side * 0.2 + self.lean, 1.42), (side * 0.33, 1.0)), 0.1, shade(self.clothes.shirt, 0.8))
        self.limb(pen, ((-0.34, 1.0), (0.34, 1.0)), 0.05, (40, 40, 44))
        trunk = [(-0.17, 0.88), (0.17, 0.88), (0.25 + self.lean, 1.48), (-0.25 + self.lean, 1.48)]
        pen.polygon(self.board(trunk), self.clothes.shirt, solid=True)
        self._rider_head(pen, (self.lean, 1.62))
        self.limb(pen, ((-0.05, 0.74), (0.05, 0.74)), 0.07, (210, 30, 30))

    def _shadow(self, pen: Pen) -> None:
        ground = ((-0.3, -0.3), (0.3, -0.3), (0.3, 1.2), (-0.3, 1.2))
        pen.shadow([(self.side + across, 0.0, self.ahead + ahead) for across, ahead in ground], 0.45)

    def _rider_head(self, pen: Pen, centre: Flat) -> None:
        across, up = centre
        pen.ellipse((self.side + across, up, self.ahead), (0.11, 0.15), self.clothes.skin, solid=True)
        pen.ellipse((self.side + across, up + 0.08, self.ahead), (0.14, 0.1), self.helmet, solid=True)


@dataclass(frozen=True, kw_only=True)
class CrossingCyclist(Cyclist):
    """Somebody on a bicycle, seen from the side. `way` is 1 for riding to the right, -1 to the left."""

    way: int = 1

    def paint(self, pen: Pen) -> None:
        way, clothes = self.way, self.clothes
        for across in (-0.52, 0.52):
            pen.ring((self.side + across, 0.34, self.ahead), 0.34, 0.07, (25, 25, 28))
        self._frame(pen)
        self.limb(pen, ((-0.2 * way, 0.98), (0.12 * way, 0.66)), 0.15, clothes.trousers)
        self.limb(pen, ((0.12 * way, 0.66), (0.0, 0.28)), 0.12, clothes.trousers)
        self.limb(pen, ((0.15 * way, 1.42), (0.42 * way, 1.02)), 0.09, shade(clothes.shirt, 0.8))
        trunk = [(-0.32 * way, 0.95), (-0.04 * way, 0.93), (0.28 * way, 1.42), (0.02 * way, 1.52)]
        pen.polygon(self.board(trunk), clothes.shirt, solid=True)
        self._rider_head(pen, (0.26 * way, 1.64))

    def _frame(self, pen: Pen) -> None:
        way = self.way
        crank, seat, bars = (0.0, 0.3), (-0.2 * way, 0.9), (0.4 * way, 0.95)
        for ends in (
            (crank, seat),
            (crank, bars),
            (seat, bars),
            (crank, (-0.52 * way, 0.34)),
            (bars, (0.52 * way, 0.34)),
        ):
            self.limb(pen, ends, 0.06, self.frame)


def random_pedestrian(rng: Random, side: float, ahead: float) -> Pedestrian:
    """An adult or, one time in six, a child."""
    height = rng.uniform(1.05, 1.35) if rng.random() < 1 / 6 else rng.uniform(1.58, 1.92)
    coat = rng.choice([0.46, 0.44, 0.32])
    clothes = random_clothes(rng, CLOTHES)
    return Pedestrian(side=side, ahead=ahead, height=height, stride=rng.uniform(0.0, 0.13), coat=coat, clothes=clothes)


def random_cyclist(rng: Random, side: float, ahead: float) -> Cyclist:
    """Somebody in a bright jersey who rides along the road or, one time in three, across it."""
    helmet, frame, clothes = rng.choice(CLOTHES), rng.choice(CLOTHES), random_clothes(rng, NEON)
    lean = rng.uniform(-0.05, 0.05)
    if rng.random() < 1 / 3:
        way = rng.choice([-1, 1])
        return CrossingCyclist(side=side, ahead=ahead, lean=lean, frame=frame, helmet=helmet, clothes=clothes, way=way)
    return Cyclist(side=side, ahead=ahead, lean=lean, frame=frame, helmet=helmet, clothes=clothes)
