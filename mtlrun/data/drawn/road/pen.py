"""Draws shapes given in road coordinates, and remembers which pixel belongs to what."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from mtlrun.data.drawn.road.camera import Camera, Pixel, Spot

RGB = tuple[int, int, int]

SCALE = 3
"""Everything is drawn this many times larger and averaged down: anti-aliasing."""

GROUND, ROAD, MARKING, SCENERY, FIRST_OBJECT = range(5)
"""Meaning of the id map; objects that carry a label count up from the last."""


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """`first` with a share of `second`, 0 to 1."""
    keep = 1.0 - share
    return (
        int(first[0] * keep + second[0] * share),
        int(first[1] * keep + second[1] * share),
        int(first[2] * keep + second[2] * share),
    )


def shade(colour: RGB, factor: float) -> RGB:
    """The colour made darker (factor < 1) or lighter."""
    return (
        min(255, int(colour[0] * factor)),
        min(255, int(colour[1] * factor)),
        min(255, int(colour[2] * factor)),
    )


class Pen:
    """A canvas of colours, of light that surfaces give off by themselves, and of ids.

    Things are painted from far to near; `start` names the thing. Only shapes drawn with `solid=True` count
    as its silhouette; details inside need not. Positions are road coordinates in metres.

    Args:
        camera: projects road coordinates to pixels.
        shape: height and width of the picture, in pixels.
        haze: colour of the air, and its density, 1/m.
    """

    def __init__(self, camera: Camera, shape: tuple[int, int], haze: tuple[RGB, float]) -> None:
        self.camera = camera
        self.shape = shape
        self.extents: dict[int, list[float]] = {}
        self._haze_colour, self._haze_density = haze
        size = (shape[1] * SCALE, shape[0] * SCALE)
        # Four independent bytes: red, green, blue, glow. Pillow would premultiply RGBA when it averages.
        self._colours = Image.new("CMYK", size)
        self._ids = Image.new("L", size)
        self._draw = ImageDraw.Draw(self._colours)
        self._draw_ids = ImageDraw.Draw(self._ids)
        self._ident = GROUND
        self._veil = 0.0

    def start(self, ident: int, ahead: float) -> None:
        """What follows belongs to `ident` and lies at this distance, which sets how much the air veils it."""
        self._ident = ident
        self._veil = 1.0 - math.exp(-ahead * self._haze_density)

    def backdrop(self, rows: np.ndarray) -> None:
        """Fill the picture with one colour per fine row: uint8 [H * SCALE, 4], the last channel is glow."""
        column = Image.frombytes("CMYK", (1, len(rows)), rows.tobytes())
        self._colours.paste(column.resize(self._colours.size, Image.Resampling.NEAREST))

    def polygon(self, corners: Sequence[Spot], colour: RGB, solid: bool = False, glow: int = 0) -> None:
        """A filled polygon; `glow`, 0 to 255, is the share of its colour that needs no light."""
        self.flat(self.camera.project_all(corners), colour, solid, glow)

    def flat(self, pixels: Sequence[Pixel], colour: RGB, solid: bool = False, glow: int = 0) -> None:
        """A filled polygon given in pixels."""
        fine = [(column * SCALE - 0.5, row * SCALE - 0.5) for column, row in pixels]
        self._draw.polygon(fine, self._ink(colour, glow))
        if solid:
            self._draw_ids.polygon(fine, self._ident)
            self._extend(pixels)

    def ellipse(
        self, centre: Spot, radii: tuple[float, float], colour: RGB, solid: bool = False, glow: int = 0
    ) -> None:
        """A filled upright ellipse with radii (side, up)."""
        left, top, right, bottom = self._frame(centre, radii)
        fine = (left * SCALE - 0.5, top * SCALE - 0.5, right * SCALE - 0.5, bottom * SCALE - 0.5)
        self._draw.ellipse(fine, self._ink(colour, glow))
        if solid:
            self._draw_ids.ellipse(fine, self._ident)
            self._extend([(left, top), (right, bottom)])

    def ring(self, centre: Spot, radius: float, width: float, colour: RGB) -> None:
        """A circle whose inside shows what is behind, but belongs to the thing (a wheel)."""
        left, top, right, bottom = self._frame(centre, (radius, radius))
        fine = (left * SCALE - 0.5, top * SCALE - 0.5, right * SCALE - 0.5, bottom * SCALE - 0.5)
        pixels = max(1, round(self.camera.pixels(width, centre[2]) * SCALE))
        self._draw.ellipse(fine, outline=self._ink(colour, 0), width=pixels)
        self._draw_ids.ellipse(fine, self._ident)
        self._extend([(left, top), (right, bottom)])

    def shadow(self, corners: Sequence[Spot], strength: float) -> None:
        """Darken a polygon by a share from 0 to 1; it belongs to nothing."""
        pixels = self.camera.project_all(corners)
        left = math.floor(min(column for column, _ in pixels) * SCALE)
        top = math.floor(min(row for _, row in pixels) * SCALE)
        fine = [(column * SCALE - left, row * SCALE - top) for column, row in pixels]
        width = math.ceil(max(column for column, _ in fine)) + 1
        height = math.ceil(max(row for _, row in fine)) + 1
        mask = Image.new("L", (min(width, 4 * self._ids.width), min(height, 4 * self._ids.height)))
        ImageDraw.Draw(mask).polygon(fine, int(255 * strength))
        self._colours.paste((0, 0, 0, 0), (left, top), mask)

    def area(self, ident: int) -> int:
        """Fine pixels that the thing owns now."""
        left, top, right, bottom = self.extents.get(ident, (0.0, 0.0, 0.0, 0.0))
        size = self._ids.size
        frame = (
            max(0, int(left * SCALE) - 1),
            max(0, int(top * SCALE) - 1),
            min(size[0], int(right * SCALE) + 2),
            min(size[1], int(bottom * SCALE) + 2),
        )
        if frame[0] >= frame[2] or frame[1] >= frame[3]:
            return 0
        return self._ids.crop(frame).histogram()[ident]

    def picture(self) -> np.ndarray:
        """Colours and glow averaged down: float32 [H, W, 4], 0 to 255."""
        return np.asarray(self._colours.reduce(SCALE), dtype=np.float32)

    def coverage(self, first: int, last: int) -> np.ndarray:
        """Share of each pixel that belongs to ids from `first` to `last`: float32 [H, W]."""
        table = [0] * first + [255] * (last + 1 - first) + [0] * (255 - last)
        return np.asarray(self._ids.point(table).reduce(SCALE), dtype=np.float32) / 255

    def outline(self, corners: Sequence[Spot]) -> np.ndarray:
        """Share of each pixel inside a polygon that is not painted, whatever lies before it: float32 [H, W]."""
        mask = Image.new("L", self._ids.size)
        fine = [(column * SCALE - 0.5, row * SCALE - 0.5) for column, row in self.camera.project_all(corners)]
        ImageDraw.Draw(mask).polygon(fine, 255)
        return np.asarray(mask.reduce(SCALE), dtype=np.float32) / 255

    def _ink(self, colour: RGB, glow: int) -> tuple[int, int, int, int]:
        return *mix(colour, self._haze_colour, self._veil * (1 - 0.6 * glow / 255)), glow

    def _frame(self, centre: Spot, radii: tuple[float, float]) -> tuple[float, float, float, float]:
        column, row = self.camera.project(centre)
        scale = self.camera.focal / centre[2]
        across, along = radii[0] * scale, radii[1] * scale
        return column - across, row - along, column + across, row + along

    def _extend(self, pixels: Sequence[Pixel]) -> None:
        if self._ident < FIRST_OBJECT:
            return
        columns, rows = zip(*pixels)
        frame = self.extents.setdefault(self._ident, [math.inf, math.inf, -math.inf, -math.inf])
        frame[0], frame[1] = min(frame[0], *columns), min(frame[1], *rows)
        frame[2], frame[3] = max(frame[2], *columns), max(frame[3], *rows)
