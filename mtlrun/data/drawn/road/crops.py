"""Traffic signs as a detector would cut them out: off centre, tilted, faded, hidden, blurred, far away."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from mtlrun.data.drawn.road.glyphs import Point
from mtlrun.data.drawn.road.pen import RGB, SCALE, mix, shade
from mtlrun.data.drawn.road.scenery import LEAVES, WALLS
from mtlrun.data.drawn.road.signs import SIGNS, Face
from mtlrun.data.drawn.road.weather import sense

SKIES: list[RGB] = [(120, 160, 210), (196, 202, 208), (230, 160, 110), (60, 66, 90)]
KINDS = tuple(SIGNS)


def draw_crop(seed: int, index: int, size: int) -> tuple[np.ndarray, int]:
    """The crop with this number: uint8 [3, size, size], and the index of its class in KINDS."""
    rng = Random(f"sign/{seed}/{index}")
    kind = rng.randrange(len(KINDS))
    fine = size * SCALE
    image = _background(rng, fine)
    _plate(rng, image, SIGNS[KINDS[kind]](rng))
    _obstacles(rng, image)
    small = _lens(rng, image, size)
    return _expose(rng, small, np.random.default_rng((seed, index, 1))), kind


def _background(rng: Random, fine: int) -> Image.Image:
    """A blur of walls, leaves and sky, which share the signs' colours now and then."""
    image = Image.new("RGB", (fine, fine), rng.choice(SKIES + WALLS + LEAVES))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(2, 7)):
        colour = shade(rng.choice(SKIES + WALLS + LEAVES + [(190, 40, 40), (40, 80, 160)]), rng.uniform(0.5, 1.2))
        left, top = rng.uniform(-0.4, 0.9) * fine, rng.uniform(-0.4, 0.9) * fine
        right, bottom = left + rng.uniform(0.1, 0.9) * fine, top + rng.uniform(0.1, 0.9) * fine
        rng.choice([draw.rectangle, draw.ellipse])((left, top, right, bottom), fill=colour)
    return image.filter(ImageFilter.BoxBlur(rng.uniform(0.0, 0.05) * fine))


def _plate(rng: Random, image: Image.Image, face: Face) -> None:
    """The sign on its pole, seen at an angle."""
    fine = image.width
    radius = fine * rng.uniform(0.27, 0.46)
    view = _view(rng, radius, fine)
    fade, tone = rng.uniform(0.0, 0.35), rng.uniform(0.75, 1.1)
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.8:
        foot, width = view((0.0, 0.0)), 0.07 * radius
        draw.polygon(
            [
                (foot[0] - width, foot[1]),
                (foot[0] + width, foot[1]),
                (foot[0] + width, fine),
                (foot[0] - width, fine),
            ],
            fill=shade((130, 134, 138), rng.uniform(0.5, 1.1)),
        )
    for polygon, colour in face:
        grey = sum(colour) // 3
        worn = shade(mix(colour, (grey, grey, grey), fade), tone)
        draw.polygon([view(point) for point in polygon], fill=worn)


def _view(rng: Random, radius: float, fine: int) -> Callable[[Point], Point]:
    """Plate coordinates to pixels: roll, then yaw and pitch in perspective, then the place in the crop."""
    roll, yaw, pitch = (math.radians(rng.gauss(0.0, deviation)) for deviation in (7.0, 20.0, 10.0))
    slack = max(0.0, 0.5 * fine - 0.8 * radius) * 0.6
    across = 0.5 * fine + rng.uniform(-slack, slack)
    along = 0.5 * fine + rng.uniform(-slack, slack)
    cos, sin = math.cos(roll), math.sin(roll)

    def view(point: Point) -> Point:
        x, y = cos * point[0] - sin * point[1], sin * point[0] + cos * point[1]
        depth = 1.0 + 0.25 * (x * math.sin(yaw) + y * math.sin(pitch))
        return across + radius * x * math.cos(yaw) / depth, along - radius * y * math.cos(pitch) / depth

    return view


def _obstacles(rng: Random, image: Image.Image) -> None:
    """A shadow across the crop, and twigs or a pole in front of it."""
    fine = image.width
    if rng.random() < 0.35:
        edge, slope = rng.uniform(0.2, 0.8) * fine, rng.uniform(-0.5, 0.5) * fine
        mask = Image.new("L", image.size)
        corners = [(0, edge - slope), (fine, edge + slope), (fine, fine), (0, fine)]
        ImageDraw.Draw(mask).polygon(corners, int(255 * rng.uniform(0.25, 0.6)))
        image.paste((10, 12, 20), (0, 0), mask)
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.3:
        corner, reach = (rng.choice([0, fine]), rng.choice([0, fine])), 0.3 * fine
        for _ in range(rng.randint(3, 9)):
            middle = (corner[0] + rng.gauss(0, reach), corner[1] + rng.gauss(0, reach))
            leaf = rng.uniform(0.03, 0.11) * fine
            box = (middle[0] - leaf, middle[1] - leaf, middle[0] + leaf, middle[1] + leaf)
            draw.ellipse(box, fill=shade(rng.choice(LEAVES), rng.uniform(0.6, 1.1)))
    if rng.random() < 0.12:
        left, width = rng.uniform(0.2, 0.75) * fine, rng.uniform(0.04, 0.12) * fine
        draw.rectangle((left, 0, left + width, fine), fill=shade((110, 112, 116), rng.uniform(0.4, 1.2)))


def _lens(rng: Random, image: Image.Image, size: int) -> Image.Image:
    """Blur, and the low resolution of a sign far away."""
    seen = round(size * rng.choice([1.0, 1.0, 0.8, 0.6, 0.45]))
    small = image.resize((seen, seen), Image.Resampling.BOX)
    if rng.random() < 0.35:
        small = small.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.2) * seen / 32))
    return small if seen == size else small.resize((size, size), Image.Resampling.BILINEAR)


def _expose(rng: Random, image: Image.Image, noise: np.random.Generator) -> np.ndarray:
    """Light of the hour, veil of the air, sensor noise: uint8 [3, H, W]."""
    dark = rng.random() < 0.2
    gain = rng.uniform(0.34, 0.6) if dark else rng.uniform(0.65, 1.15)
    tint = np.array([1 + rng.uniform(-0.12, 0.12), 1.0, 1 + rng.uniform(-0.12, 0.12)], dtype=np.float32)
    veil = rng.uniform(0.0, 0.3) if rng.random() < 0.3 else 0.0
    seen = np.asarray(image, dtype=np.float32) * (gain * tint)
    seen = seen * (1 - veil) + np.float32(190 * veil)
    return sense(seen, rng.uniform(6, 12) if dark else rng.uniform(2, 8), noise)
