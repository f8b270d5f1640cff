"""From an animal to its picture: a silhouette before a landscape, partly hidden, in any light."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from mtlrun.data.drawn.animals.bodies import ANIMALS, Blob, Limb, Place, Shape, shapes

FINE = 3
"""Everything is drawn this many times larger and averaged down."""

RGB = tuple[int, int, int]


def draw(seed: int, detector: str, index: int, size: int) -> tuple[np.ndarray, int]:
    """Picture `index` of a detector's source, uint8 [3, size, size], and whether its animal is there: 0 or 1."""
    rng = Random(f"animals/{seed}/{detector}/{index}")
    present = rng.random() < 0.5
    others = [name for name in ANIMALS if name != detector]
    kind = detector if present else rng.choice([*others, ""])
    image, tone = _landscape(rng, size * FINE)
    if kind:
        _animal(rng, image, kind, tone)
    _grass(rng, image)
    small = image.resize((size, size), Image.Resampling.BOX).filter(ImageFilter.BoxBlur(rng.uniform(0.0, 0.6)))
    noise = np.random.default_rng((seed, sorted(ANIMALS).index(detector), index))
    seen = np.asarray(small, dtype=np.float32) * rng.uniform(0.7, 1.15)
    seen = seen + noise.standard_normal(seen.shape, dtype=np.float32) * rng.uniform(3, 14)
    return np.ascontiguousarray(seen.clip(0, 255).astype(np.uint8).transpose(2, 0, 1)), int(present)


def _colour(rng: Random, low: int, high: int) -> RGB:
    grey, spread = rng.randint(low, high), 35
    red, green, blue = (max(0, min(255, grey + rng.randint(-spread, spread))) for _ in range(3))
    return red, green, blue


def _landscape(rng: Random, fine: int) -> tuple[Image.Image, bool]:
    """Sky, ground and shrubs in the middle tones; and whether the animal shall be dark."""
    dark = rng.random() < 0.6
    low, high = (120, 215) if dark else (45, 130)
    image = Image.new("RGB", (fine, fine), _colour(rng, low, high))
    pen = ImageDraw.Draw(image)
    horizon = rng.uniform(0.45, 0.8) * fine
    pen.rectangle((0, horizon, fine, fine), fill=_colour(rng, low, high))
    for _ in range(rng.randint(0, 6)):
        x, y, radius = rng.uniform(0, fine), horizon + rng.uniform(-0.25, 0.15) * fine, rng.uniform(0.03, 0.15) * fine
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(rng, low, high))
    if rng.random() < 0.5:
        x, width = rng.uniform(0, fine), rng.uniform(0.02, 0.05) * fine
        pen.rectangle((x, rng.uniform(0.0, 0.4) * fine, x + width, horizon), fill=_colour(rng, low, high))
    return image.filter(ImageFilter.BoxBlur(rng.uniform(0.0, 0.02) * fine)), dark


def _animal(rng: Random, image: Image.Image, kind: str, dark: bool) -> None:
    """The silhouette of an animal, of any size in the picture whatever its own."""
    fine, parts = image.width, shapes(ANIMALS[kind](rng), rng)
    left, right, top = _extent(parts)
    scale = rng.uniform(0.55, 0.9) * fine / max(right - left, top)
    way = rng.choice((-1, 1))
    across = rng.uniform(0.4, 0.6) * fine - way * scale * (left + right) / 2
    ground = fine * rng.uniform(0.86, 0.98)
    lean = math.tan(math.radians(rng.uniform(-8, 8)))

    def view(place: Place) -> Place:
        return across + way * scale * (place[0] + lean * place[1]), ground - scale * place[1]

    colour = _colour(rng, 15, 70) if dark else _colour(rng, 165, 235)
    pen = ImageDraw.Draw(image)
    for part in parts:
        _shape(pen, part, view, scale, colour)


def _extent(parts: list[Shape]) -> tuple[float, float, float]:
    """Leftmost and rightmost place, and the highest."""
    places = [place for part in parts for place in ((part.start, part.end) if isinstance(part, Limb) else ())]
    return min(x for x, _ in places), max(x for x, _ in places), max(y for _, y in places) + 0.15


def _shape(pen: ImageDraw.ImageDraw, part: Shape, view: Callable[[Place], Place], scale: float, colour: RGB) -> None:
    if isinstance(part, Blob):
        _disc(pen, view(part.centre), (part.radii[0] * scale, part.radii[1] * scale), colour)
        return
    (x0, y0), (x1, y1) = view(part.start), view(part.end)
    first, last = (thick * scale / 2 for thick in part.thick)
    length = max(1e-6, math.hypot(x1 - x0, y1 - y0))
    dx, dy = -(y1 - y0) / length, (x1 - x0) / length
    pen.polygon(
        [
            (x0 + first * dx, y0 + first * dy),
            (x1 + last * dx, y1 + last * dy),
            (x1 - last * dx, y1 - last * dy),
            (x0 - first * dx, y0 - first * dy),
        ],
        fill=colour,
    )
    _disc(pen, (x0, y0), (first, first), colour)
    _disc(pen, (x1, y1), (last, last), colour)


def _disc(pen: ImageDraw.ImageDraw, centre: Place, radii: Place, colour: RGB) -> None:
    (x, y), (wide, high) = centre, radii
    pen.ellipse((x - wide, y - high, x + wide, y + high), fill=colour)


def _grass(rng: Random, image: Image.Image) -> None:
    """Blades before the feet, and now and then a trunk before the animal."""
    fine, pen = image.width, ImageDraw.Draw(image)
    colour = _colour(rng, 60, 150)
    for _ in range(rng.choice((0, 6, 14))):
        x, height = rng.uniform(0, fine), rng.uniform(0.05, 0.2) * fine
        pen.polygon([(x - 3, fine), (x + 3, fine), (x + rng.uniform(-8, 8), fine - height)], fill=colour)
    if rng.random() < 0.2:
        x, width = rng.uniform(0.1, 0.9) * fine, rng.uniform(0.03, 0.09) * fine
        pen.rectangle((x, 0, x + width, fine), fill=_colour(rng, 50, 160))
