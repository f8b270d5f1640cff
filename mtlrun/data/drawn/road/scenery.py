"""What lines the road: trees, buildings, street lamps, bollards."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mtlrun.data.drawn.road.pen import RGB, Pen, shade
from mtlrun.data.drawn.road.thing import Thing

LEAVES: list[RGB] = [(62, 96, 44), (48, 84, 48), (88, 110, 46), (110, 120, 60), (150, 110, 44), (40, 66, 42)]
WALLS: list[RGB] = [
    (176, 150, 124), (150, 96, 78), (196, 190, 178), (120, 124, 130), (204, 178, 130),
    (140, 120, 110), (170, 176, 182),
]  # fmt: skip
POSTS: list[RGB] = [(180, 40, 36), (220, 220, 216), (90, 94, 98), (230, 150, 40), (40, 90, 60)]


@dataclass(frozen=True, kw_only=True)
class Tree(Thing):
    """A trunk with a crown of overlapping tufts: (across, up, radius) in metres."""

    trunk: float
    tufts: tuple[tuple[float, float, float], ...]
    leaves: RGB

    def paint(self, pen: Pen) -> None:
        wide = max(radius for _, _, radius in self.tufts)
        base = ((-wide, -0.3), (wide, -0.3), (wide * 0.8, 1.5), (-wide * 0.8, 1.5))
        pen.shadow([(self.side + x, 0.0, self.ahead + z) for x, z in base], 0.35)
        stem = [(-0.16, 0.0), (0.16, 0.0), (0.1, self.trunk), (-0.1, self.trunk)]
        pen.polygon(self.board(stem), (74, 56, 40), solid=True)
        for number, (across, up, radius) in enumerate(self.tufts):
            spot = (self.side + across, up, self.ahead)
            pen.ellipse(spot, (radius, radius * 0.85), shade(self.leaves, 0.7 + 0.13 * number), solid=True)


@dataclass(frozen=True, kw_only=True)
class Conifer(Thing):
    """A tree of three stacked triangles."""

    height: float
    leaves: RGB

    def paint(self, pen: Pen) -> None:
        high = self.height
        pen.polygon(
            self.board([(-0.14, 0.0), (0.14, 0.0), (0.14, 0.2 * high), (-0.14, 0.2 * high)]),
            (64, 48, 36),
            True,
        )
        for low, top, wide in ((0.12, 0.6, 0.26), (0.36, 0.82, 0.2), (0.58, 1.0, 0.14)):
            corners = [(-wide * high, low * high), (wide * high, low * high), (0.0, top * high)]
            pen.polygon(self.board(corners), shade(self.leaves, 0.7 + 0.35 * top), solid=True)


@dataclass(frozen=True, kw_only=True)
class Building(Thing):
    """A block beside the road: its near end, and the wall along it with columns of three windows."""

    width: float
    length: float
    height: float
    wall: RGB
    windows: tuple[bool, ...]

    @property
    def depth(self) -> float:
        return self.ahead + self.length

    def paint(self, pen: Pen) -> None:
        outer = self.side + (self.width if self.side > 0 else -self.width)
        near, far = self.ahead, self.ahead + self.length
        end = [
            (self.side, 0.0, near),
            (outer, 0.0, near),
            (outer, self.height, near),
            (self.side, self.height, near),
        ]
        along = [
            (self.side, 0.0, near),
            (self.side, 0.0, far),
            (self.side, self.height, far),
            (self.side, self.height, near),
        ]
        pen.polygon(end, shade(self.wall, 0.85), solid=True)
        pen.polygon(along, self.wall, solid=True)
        if pen.camera.pixels(self.height, near) < 14:
            return
        for number, lit in enumerate(self.windows):
            self._window(pen, number // 3, number % 3, lit)

    def _window(self, pen: Pen, column: int, row: int, lit: bool) -> None:
        step, rise = 3 * self.length / len(self.windows), self.height / 3
        near, low = self.ahead + step * (column + 0.25), rise * (row + 0.3)
        pane = [
            (low, near),
            (low, near + step * 0.5),
            (low + rise * 0.5, near + step * 0.5),
            (low + rise * 0.5, near),
        ]
        colour = (235, 200, 130) if lit else (70, 82, 96)
        pen.polygon([(self.side, up, ahead) for up, ahead in pane], colour, glow=170 if lit else 0)


@dataclass(frozen=True, kw_only=True)
class StreetLamp(Thing):
    """A tall pole with a lamp that leans over the road."""

    lit: bool

    def paint(self, pen: Pen) -> None:
        reach = -1.4 if self.side > 0 else 1.4
        pen.polygon(self.board([(-0.07, 0.0), (0.07, 0.0), (0.05, 6.5), (-0.05, 6.5)]), (96, 100, 104), True)
        pen.polygon(self.board([(0.0, 6.4), (reach, 6.6), (reach, 6.75), (0.0, 6.55)]), (96, 100, 104), True)
        head = (self.side + reach, 6.6, self.ahead)
        pen.ellipse(head, (0.35, 0.16), (255, 226, 160), solid=True, glow=255 if self.lit else 0)


@dataclass(frozen=True, kw_only=True)
class Post(Thing):
    """A bollard, hydrant, litter bin or letter box: about as wide as a person, in any colour."""

    width: float
    height: float
    colour: RGB

    def paint(self, pen: Pen) -> None:
        half, high = self.width / 2, self.height
        pen.polygon(self.board([(-half, 0.0), (half, 0.0), (half, high), (-half, high)]), self.colour, solid=True)
        pen.polygon(
            self.board([(-half, 0.7 * high), (half, 0.7 * high), (half, 0.85 * high), (-half, 0.85 * high)]),
            shade(self.colour, 0.6),
        )


def random_tree(rng: Random, side: float, ahead: float) -> Thing:
    """A broadleaf or, one time in three, a conifer."""
    leaves = rng.choice(LEAVES)
    if rng.random() < 1 / 3:
        return Conifer(side=side, ahead=ahead, height=rng.uniform(4, 9), leaves=leaves)
    trunk, size = rng.uniform(1.4, 3.0), rng.uniform(1.0, 2.2)
    tufts = tuple(
        (rng.uniform(-0.7, 0.7) * size, trunk + size * rng.uniform(0.3, 1.3), size * rng.uniform(0.6, 1.0))
        for _ in range(4)
    )
    return Tree(side=side, ahead=ahead, trunk=trunk + 0.5 * size, tufts=tufts, leaves=leaves)


def random_building(rng: Random, side: float, ahead: float, lit_share: float) -> Building:
    """A block whose near corner on the road's side stands at the given place."""
    length, columns = rng.uniform(8, 18), rng.randint(2, 4)
    windows = tuple(rng.random() < lit_share for _ in range(3 * columns))
    wall = shade(rng.choice(WALLS), rng.uniform(0.8, 1.1))
    return Building(
        side=side,
        ahead=ahead,
        width=15.0,
        length=length,
        height=rng.uniform(5, 13),
        wall=wall,
        windows=windows,
    )


def random_post(rng: Random, side: float, ahead: float) -> Post:
    """Something low beside the road."""
    return Post(
        side=side,
        ahead=ahead,
        width=rng.uniform(0.2, 0.6),
        height=rng.uniform(0.7, 1.3),
        colour=rng.choice(POSTS),
    )
