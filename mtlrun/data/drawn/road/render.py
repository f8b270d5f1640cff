"""From a scene to its picture and labels."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from mtlrun.data.drawn.road.pen import FIRST_OBJECT, GROUND, MARKING, ROAD, SCALE, SCENERY, Pen, mix
from mtlrun.data.drawn.road.scene import Scene, compose
from mtlrun.data.drawn.road.thing import Thing
from mtlrun.data.drawn.road.weather import develop, sky_rows

DETECTED = ("car", "pedestrian", "cyclist")
ASKED = ("pedestrian", "car", "stop_sign", "traffic_light")
MAX_BOXES = 12

VISIBLE_SHARE = 0.4
SMALLEST = {"car": 5.0, "pedestrian": 6.0, "cyclist": 6.0, "stop_sign": 5.0, "traffic_light": 6.0}
"""A thing counts as visible if at least this share of it is in the picture and not hidden behind something
nearer, and if it is at least so many pixels high."""


@dataclass(frozen=True)
class Drawn:
    """A picture with its labels.

    image: uint8 [3, H, W]. boxes: float32 [MAX_BOXES, 5], rows (class in DETECTED, x1, y1, x2, y2) in pixels,
    padded with class -1. masks: uint8 [H, W], bit 0 road surface, bit 1 marking, bit 2 own lane. present:
    uint8 [4], one for each of ASKED.
    """

    image: np.ndarray
    boxes: np.ndarray
    masks: np.ndarray
    present: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        """The picture and its labels, in the order above."""
        return self.image, self.boxes, self.masks, self.present


@dataclass(frozen=True)
class Seen:
    """A visible thing and its box (left, top, right, bottom), cut at the picture's edges, in pixels."""

    label: str
    box: tuple[float, float, float, float]


def draw(seed: int, index: int, height: int, width: int) -> Drawn:
    """The scene with this number: the same picture wherever and however often it is drawn."""
    scene = compose(Random(f"scene/{seed}/{index}"), height, width)
    pen = Pen(scene.camera, (height, width), (scene.weather.sky[1], scene.weather.haze))
    seen = paint(scene, pen)
    image = develop(pen.picture(), scene.weather, scene.camera.horizon, (seed, index))
    masks = _masks(scene, pen)
    present = [any(thing.label == label for thing in seen) for label in ASKED]
    return Drawn(image, _boxes(seen), masks, np.array(present, dtype=np.uint8))


def _masks(scene: Scene, pen: Pen) -> np.ndarray:
    surface = pen.coverage(ROAD, MARKING) >= 0.5
    marking = surface & (pen.coverage(MARKING, MARKING) >= 0.33)
    own = surface & (pen.outline(scene.road.own_lane(-scene.camera.offset)) >= 0.5)
    return surface.astype(np.uint8) | (marking.astype(np.uint8) << 1) | (own.astype(np.uint8) << 2)


def paint(scene: Scene, pen: Pen) -> list[Seen]:
    """Paint everything from far to near, and say what can be seen of it in the end."""
    _backdrop(scene, pen)
    scene.road.draw(pen)
    whole = {}
    labelled: dict[int, Thing] = {}
    for thing in scene.things:
        pen.start(SCENERY, thing.ahead)
        thing.paint_scenery(pen)
        if not thing.label:
            thing.paint(pen)
            continue
        ident = FIRST_OBJECT + len(labelled)
        labelled[ident] = thing
        pen.start(ident, thing.ahead)
        thing.paint(pen)
        whole[ident] = pen.area(ident)
    visible = [_look(pen, ident, thing, whole[ident]) for ident, thing in labelled.items()]
    return [seen for seen in visible if seen is not None]


def _look(pen: Pen, ident: int, thing: Thing, whole: int) -> Seen | None:
    """The thing as it can be seen; `whole` is its area before anything nearer was painted."""
    height, width = pen.shape
    left, top, right, bottom = pen.extents[ident]
    box = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    across, along = box[2] - box[0], box[3] - box[1]
    if across < 2 or along < SMALLEST[thing.label] * height / 64 or whole == 0:
        return None
    inside = across * along / ((right - left) * (bottom - top))
    visible = pen.area(ident) / whole
    return Seen(thing.label, box) if inside * visible >= VISIBLE_SHARE else None


def _boxes(seen: list[Seen]) -> np.ndarray:
    """The nearest things have the last word: painted last, listed first."""
    rows = [(DETECTED.index(thing.label), *thing.box) for thing in reversed(seen) if thing.label in DETECTED]
    padding = [(-1, 0, 0, 0, 0)] * (MAX_BOXES - len(rows))
    return np.array(rows + padding, dtype=np.float32)[:MAX_BOXES]


def _backdrop(scene: Scene, pen: Pen) -> None:
    """Sky, ground and a line of hills."""
    height, width = pen.shape
    horizon = scene.camera.horizon
    pen.backdrop(sky_rows(scene.weather, scene.ground, round(horizon * SCALE), height * SCALE))
    pen.start(GROUND, 0.0)
    count = len(scene.hills) - 1
    ridge = [(width * step / count, horizon - rise * height) for step, rise in enumerate(scene.hills)]
    colour = mix(scene.ground, scene.weather.sky[1], 0.55)
    pen.flat([(0.0, horizon + 1), *ridge, (float(width), horizon + 1)], colour, glow=90)
