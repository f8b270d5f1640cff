"""The road itself: surface, kerbs and paint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from mtlrun.data.drawn.road.camera import Spot
from mtlrun.data.drawn.road.pen import MARKING, RGB, ROAD, SCENERY, Pen, mix, shade

NEAR, FAR = 1.8, 130.0
LADDER = [NEAR * (FAR / NEAR) ** (step / 11) for step in range(12)]
"""Distances at which long strips bend, in metres: denser close by."""

WHITE_PAINT: RGB = (232, 232, 226)
YELLOW_PAINT: RGB = (232, 180, 40)
PAVING: RGB = (158, 154, 148)


@dataclass(frozen=True)
class Line:
    """A painted line. side, width: metres; dash: metres painted, left out and phase, or None for solid."""

    side: float
    width: float
    colour: RGB
    dash: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Road:
    """left, right: its edges, metres from the centre line; pavement: width of the footway, 0 for none;
    crossing, stop_line: distance of the zebra crossing and of the stop line, None for none."""

    left: float
    right: float
    lanes: int
    lane_width: float
    two_way: bool
    asphalt: RGB
    pavement: float
    lines: tuple[Line, ...]
    paint: RGB
    crossing: float | None
    stop_line: float | None

    def draw(self, pen: Pen) -> None:
        """Footways, asphalt, then paint, each veiled by its distance."""
        pen.start(SCENERY, 25.0)
        for edge, way in ((self.left, -1), (self.right, 1)):
            if self.pavement:
                kerb = edge + way * 0.25
                self._strip(pen, (kerb, edge + way * (self.pavement + 0.25)), PAVING)
                self._strip(pen, (edge, kerb), shade(PAVING, 1.2))
        pen.start(ROAD, 25.0)
        self._strip(pen, (self.left, self.right), self.asphalt)
        for line in self.lines:
            self._line(pen, line)
        self._crossing(pen)

    def own_lane(self, place: float) -> list[Spot]:
        """Outline of the lane around `place`, metres from the centre line; the outermost lanes include the shoulder."""
        edge = self.lanes * self.lane_width / 2
        lane = min(max(int((place + edge) // self.lane_width), 0), self.lanes - 1)
        left = self.left if lane == 0 else lane * self.lane_width - edge
        right = self.right if lane == self.lanes - 1 else (lane + 1) * self.lane_width - edge
        return self._outline((left, right))

    def _outline(self, sides: tuple[float, float], ladder: list[float] = LADDER) -> list[Spot]:
        spots: list[Spot] = [(sides[0], 0.0, ahead) for ahead in ladder]
        return spots + [(sides[1], 0.0, ahead) for ahead in reversed(ladder)]

    def _strip(self, pen: Pen, sides: tuple[float, float], colour: RGB, ladder: list[float] = LADDER) -> None:
        pen.polygon(self._outline(sides, ladder), colour, solid=True, glow=0)

    def _line(self, pen: Pen, line: Line) -> None:
        sides = (line.side - line.width / 2, line.side + line.width / 2)
        if line.dash is None:
            pen.start(MARKING, 20.0)
            return self._strip(pen, sides, line.colour)
        painted, gap, phase = line.dash
        start = NEAR + phase - painted - gap
        while start < 65:
            if start + painted > NEAR:
                pen.start(MARKING, start)
                self._strip(pen, sides, line.colour, [max(NEAR, start), start + painted])
            start += painted + gap
        return None

    def _crossing(self, pen: Pen) -> None:
        if self.stop_line is not None:
            pen.start(MARKING, self.stop_line)
            left = 0.1 if self.two_way else self.left + 0.2
            self._strip(pen, (left, self.right - 0.2), self.paint, [self.stop_line, self.stop_line + 0.6])
        if self.crossing is None:
            return
        pen.start(MARKING, self.crossing)
        side = self.left + 0.4
        while side + 0.5 < self.right:
            self._strip(pen, (side, side + 0.5), self.paint, [self.crossing, self.crossing + 3.0])
            side += 1.0


def random_road(rng: Random, town: bool, crossing: float | None, zebra: bool) -> Road:
    """A road of one to four lanes; towns have footways, crossings a stop line and perhaps a zebra."""
    lanes = rng.choices([1, 2, 3, 4], [1, 6, 3, 2])[0]
    two_way = lanes > 1 and rng.random() < 0.7
    lane_width, shoulder = rng.uniform(2.8, 3.7), rng.uniform(0.2, 0.9)
    half = lanes * lane_width / 2 + shoulder
    grey = rng.randint(58, 112)
    asphalt = (grey, grey + rng.randint(-3, 3), grey + rng.randint(-4, 8))
    wear = rng.uniform(0.0, 0.45)
    lines = _lines(rng, lanes, lane_width, two_way, lambda paint: mix(paint, asphalt, wear))
    stop_line = None if crossing is None or rng.random() < 0.3 else crossing - 1.5
    return Road(
        left=-half,
        right=half,
        lanes=lanes,
        lane_width=lane_width,
        two_way=two_way,
        asphalt=asphalt,
        pavement=rng.uniform(1.6, 3.2) if town else 0.0,
        lines=tuple(lines),
        paint=mix(WHITE_PAINT, asphalt, wear),
        crossing=crossing if zebra else None,
        stop_line=stop_line,
    )


def _lines(rng: Random, lanes: int, lane_width: float, two_way: bool, worn: Callable[[RGB], RGB]) -> list[Line]:
    """Edge lines, lane separators and, on two-way roads, the line between the directions."""
    width = rng.uniform(0.15, 0.22)
    painted = rng.uniform(2.0, 4.0)
    dash = (painted, painted * rng.uniform(0.9, 2.0), rng.uniform(0.0, 8.0))
    edge = lanes * lane_width / 2
    lines = []
    if lanes == 1 or rng.random() < 0.75:
        left_colour = YELLOW_PAINT if rng.random() < 0.3 else WHITE_PAINT
        lines += [Line(-edge, width, worn(left_colour)), Line(edge, width, worn(WHITE_PAINT))]
    middle = lanes // 2 if two_way else 0
    for border in range(1, lanes):
        side = -edge + border * lane_width
        if border == middle:
            lines += _middle(rng, side, width, dash, worn)
        else:
            lines.append(Line(side, width, worn(WHITE_PAINT), dash))
    return lines


def _middle(
    rng: Random, side: float, width: float, dash: tuple[float, float, float], worn: Callable[[RGB], RGB]
) -> list[Line]:
    """Between the directions: dashed, solid or double."""
    colour = worn(YELLOW_PAINT if rng.random() < 0.5 else WHITE_PAINT)
    kind = rng.randrange(3)
    if kind == 0:
        return [Line(side, width, colour, dash)]
    if kind == 1:
        return [Line(side, width, colour)]
    return [Line(side - 0.9 * width, width, colour), Line(side + 0.9 * width, width, colour)]
