"""Traffic signs as coloured polygons on a unit plate: each class has its own shape, colour and symbol."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

from mtlrun.data.drawn.road.glyphs import Point, stroke, text
from mtlrun.data.drawn.road.pen import RGB

Face = list[tuple[list[Point], RGB]]
"""Polygons in painting order, the plate first; coordinates from -1 to 1, up is positive."""

RED: RGB = (200, 24, 34)
WHITE: RGB = (240, 240, 236)
BLACK: RGB = (24, 24, 26)
BLUE: RGB = (20, 80, 170)
YELLOW: RGB = (246, 190, 20)


def _regular(corners: int, radius: float, turn: float) -> list[Point]:
    """A regular polygon; `turn` in degrees rotates its first corner away from the right-hand side."""
    angles = [math.radians(turn + 360 * corner / corners) for corner in range(corners)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def _disc(radius: float) -> list[Point]:
    return _regular(20, radius, 9)


def _square(half: float) -> list[Point]:
    return [(-half, -half), (half, -half), (half, half), (-half, half)]


def _turned(points: list[Point], degrees: float) -> list[Point]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(cos * x - sin * y, sin * x + cos * y) for x, y in points]


def stop(rng: Random) -> Face:
    """Red octagon with the word."""
    plate: Face = [(_regular(8, 1.04, 22.5), WHITE), (_regular(8, 0.96, 22.5), RED)]
    return plate + [(quad, WHITE) for quad in text("STOP", 0.6, 0.4, 0.12)]


def give_way(rng: Random) -> Face:
    """Triangle on its tip: red rim, white inside, no symbol."""
    return [(_regular(3, 1.12, 270), RED), (_regular(3, rng.uniform(0.56, 0.68), 270), WHITE)]


def speed_limit(rng: Random) -> Face:
    """White disc, red rim, black number."""
    word = rng.choice(["20", "30", "50", "60", "70", "80", "90", "100", "120"])
    spacing, width = (0.56, 0.16) if len(word) == 2 else (0.42, 0.13)
    plate: Face = [(_disc(1.0), RED), (_disc(rng.uniform(0.72, 0.8)), WHITE)]
    return plate + [(quad, BLACK) for quad in text(word, 0.76, spacing, width)]


def no_entry(rng: Random) -> Face:
    """Red disc with a white bar."""
    high = rng.uniform(0.15, 0.22)
    return [
        (_disc(1.0), WHITE),
        (_disc(0.95), RED),
        ([(-0.72, -high), (0.72, -high), (0.72, high), (-0.72, high)], WHITE),
    ]


def priority(rng: Random) -> Face:
    """Yellow square on its tip with a white rim."""
    return [
        (_turned(_square(0.76), 45), BLACK),
        (_turned(_square(0.73), 45), WHITE),
        (_turned(_square(rng.uniform(0.46, 0.54)), 45), YELLOW),
    ]


def mandatory(rng: Random) -> Face:
    """Blue disc with a white arrow that points up, sideways or down to one side."""
    turn = rng.choice([0, 90, -90, 135, -135])
    shaft = stroke((0, -0.5), (0, 0.2), 0.22)
    head = [(-0.42, 0.1), (0.42, 0.1), (0, 0.68)]
    plate: Face = [(_disc(1.0), WHITE), (_disc(0.95), BLUE)]
    return [*plate, (_turned(shaft, turn), WHITE), (_turned(head, turn), WHITE)]


def crossing(rng: Random) -> Face:
    """Blue square with a walker on a white triangle."""
    way = rng.choice([-1, 1])
    plate: Face = [
        (_square(0.92), WHITE),
        (_square(0.87), BLUE),
        ([(-0.74, -0.62), (0.74, -0.62), (0, 0.72)], WHITE),
    ]
    return plate + [(polygon, BLACK) for polygon in _walker(way)]


def warning(rng: Random) -> Face:
    """Triangle on its base: red rim, white inside, black symbol (danger, bend, walker or crossroads)."""
    symbol = rng.choice([_danger, _bend, _small_walker, _crossroads])(rng.choice([-1, 1]))
    plate: Face = [(_regular(3, 1.12, 90), RED), (_regular(3, rng.uniform(0.7, 0.78), 90), WHITE)]
    return plate + [(polygon, BLACK) for polygon in symbol]


def _walker(way: int) -> list[list[Point]]:
    hip, neck = (0.0, -0.15), (0.05 * way, 0.18)
    head = [(x + 0.06 * way, y + 0.32) for x, y in _regular(6, 0.11, 0)]
    limbs = [(neck, hip), (hip, (0.22 * way, -0.55)), (hip, (-0.2 * way, -0.55)), (neck, (0.26 * way, -0.06))]
    return [head] + [stroke(start, end, 0.13) for start, end in limbs]


def _small_walker(way: int) -> list[list[Point]]:
    return [[(0.8 * x, 0.8 * y) for x, y in polygon] for polygon in _walker(way)]


def _danger(way: int) -> list[list[Point]]:
    return [[(-0.1, 0.45), (0.1, 0.45), (0.05, -0.1), (-0.05, -0.1)], [(x, y - 0.26) for x, y in _disc(0.09)]]


def _bend(way: int) -> list[list[Point]]:
    line = [(-0.14 * way, -0.36), (-0.14 * way, -0.05), (0.12 * way, 0.05), (0.12 * way, 0.3)]
    head = [((0.12 + x) * way, 0.28 + y) for x, y in ((-0.16, 0.0), (0.16, 0.0), (0.0, 0.22))]
    return [stroke(start, end, 0.13) for start, end in pairwise(line)] + [head]


def _crossroads(way: int) -> list[list[Point]]:
    return [stroke((0, -0.34), (0, 0.36), 0.15), stroke((-0.27, -0.04), (0.27, -0.04), 0.11)]


SIGNS: dict[str, Callable[[Random], Face]] = {
    "stop": stop,
    "give_way": give_way,
    "speed_limit": speed_limit,
    "no_entry": no_entry,
    "priority": priority,
    "mandatory": mandatory,
    "crossing": crossing,
    "warning": warning,
}
"""The classes of the sign task, in the order of their indices."""
