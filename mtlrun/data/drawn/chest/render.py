"""From a chest to its radiograph: bright where rays are absorbed, dark where air lets them pass."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mtlrun.data.drawn.chest.body import RIBS, Chest, Fluid, Patch, random_chest

FINE = 2
"""Everything is drawn this many times larger and averaged down."""

Map = NDArray[np.float32]
"""A number per fine pixel."""


def draw(seed: int, index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The radiograph with this number, uint8 [1, size, size], and its findings, uint8 [4]."""
    rng = Random(f"radiograph/{seed}/{index}")
    chest = random_chest(rng)
    bright = _Film(chest, size * FINE).expose()
    small = bright.reshape(size, FINE, size, FINE).mean((1, 3))
    return _develop(rng, small, np.random.default_rng((seed, index))), np.array(chest.findings(), dtype=np.uint8)


def _develop(rng: Random, bright: Map, noise: np.random.Generator) -> np.ndarray:
    """Exposure, contrast, a slant of the tube and quantum noise: uint8 [1, H, W]."""
    gain, lift, gamma = rng.uniform(0.85, 1.12), rng.uniform(-0.06, 0.05), rng.uniform(0.85, 1.2)
    slant = np.linspace(-1, 1, bright.shape[1], dtype=np.float32) * rng.uniform(-0.06, 0.06)
    seen = np.clip(bright * gain + lift + slant, 0.0, 1.0) ** gamma
    seen = seen + noise.standard_normal(seen.shape, dtype=np.float32) * rng.uniform(0.015, 0.045)
    return (np.clip(seen, 0, 1) * 255).round().astype(np.uint8)[None]


def _soft(distance: Map, width: float) -> Map:
    """1 where the distance is well below zero, 0 well above; in between a ramp of `width`."""
    ramp: Map = np.clip(np.float32(0.5) - distance * np.float32(1 / width), 0, 1)
    return ramp


def cloud(seed: int, edge: int, cells: int) -> Map:
    """Smooth noise from 0 to 1 over a square of `edge` pixels."""
    coarse = np.random.default_rng(seed).random((cells, cells), dtype=np.float32)
    return np.asarray(Image.fromarray(coarse).resize((edge, edge), Image.Resampling.BICUBIC), dtype=np.float32)


@dataclass
class _Film:
    """One exposure of a chest on a square of `edge` fine pixels."""

    chest: Chest
    edge: int

    def __post_init__(self) -> None:
        line = np.linspace(-1, 1, self.edge, dtype=np.float32)
        self.y, self.x = np.meshgrid(line, line - np.float32(self.chest.centre), indexing="ij")

    def expose(self) -> Map:
        """Brightness, about 0 to 1."""
        chest, bright = self.chest, self._outline()
        air = np.maximum(self._lung(-1), self._lung(1))
        bright -= 0.36 * air
        for patch in chest.patches:
            bright += self._patch(patch) * air
        bright += chest.breast * _soft(np.abs(self.y - 0.4) - 0.3, 0.3) * air
        solid = 0.85 * self._heart()
        for fluid in chest.fluids:
            solid = np.maximum(solid, self._fluid(fluid) * (fluid.side * self.x > 0))
        return bright + 0.36 * solid * air + self._spine() + self._bones() + self._wires()

    def _outline(self) -> Map:
        """Skin and muscle: a trunk with shoulders and a neck, air around it."""
        half = self.chest.half
        shoulder = np.clip((self.y + 1.05) * 3.2, 0.18, 1.0)
        flesh: Map = (0.55 * _soft(np.abs(self.x) - (half + 0.16) * shoulder, 0.06)).astype(np.float32)
        return flesh

    def _floor(self, side: int) -> Map:
        """Height of the diaphragm's dome at each x."""
        middle = side * 0.5 * self.chest.half
        return self.chest.floors[side > 0] + 0.55 * ((self.x - middle) / self.chest.half) ** 2

    def _lung(self, side: int) -> Map:
        chest = self.chest
        across = (side * self.x - 0.53 * chest.half) / (0.47 * chest.half)
        height = (self.y - 0.45) / (0.45 - chest.top)
        outline = np.abs(across) ** 2.6 + np.clip(-height, 0, None) ** 2.2 - 1
        return _soft(outline, 0.3) * _soft(self.y - self._floor(side), 0.05)

    def _heart(self) -> Map:
        """An ellipse that lies more to the patient's left."""
        chest = self.chest
        half = chest.ratio * chest.half
        across, down = self.x - 0.32 * half, self.y - (min(chest.floors) - 0.62 * half)
        turned = across + chest.tilt * down
        return _soft((turned / half) ** 2 + (down / (0.85 * half)) ** 2 - 1, 0.25)

    def _spine(self) -> Map:
        """Vertebrae under the mediastinum."""
        column = _soft(np.abs(self.x) - 0.12, 0.08)
        return (0.1 + 0.02 * np.sin(self.y * 40)) * column * _soft(-(self.y + 0.95), 0.1)

    def _bones(self) -> Map:
        """Ribs, which stand out over the lungs, and collar bones."""
        inside = _soft(np.abs(self.x) - self.chest.half - 0.02, 0.06)
        level = self.chest.top + 0.12 - 0.22 * np.abs(self.x)
        collar = _soft(np.abs(self.y - level) - 0.035, 0.03) * (np.abs(self.x) > 0.08)
        return (0.13 * self._ribs() + 0.12 * collar) * inside + self._callus()

    def _ribs(self) -> Map:
        """From the spine outwards a rib falls, and ever more steeply; a broken one has a gap and a step."""
        distance = self.chest.ribs[1]
        out = np.abs(self.x)
        below = self.y - self._first_rib(out)
        whole = np.ones_like(below)
        for crack in self.chest.breaks:
            near = np.abs(below - crack.rib * distance) < 0.75 * distance
            gap = _soft(np.abs(self.x * crack.side - crack.reach) - 0.02, 0.03)
            whole = whole - gap * near
            below = below - crack.step * ((self.x * crack.side > crack.reach) & near)
        away = np.abs(below - np.clip(np.round(below / distance), 0, RIBS - 1) * distance)
        return _soft(away - 0.028, 0.03) * np.clip(whole, 0, 1)

    def _first_rib(self, out: Map | float) -> Any:
        """Height of the uppermost rib at a distance from the spine."""
        first, _, slope, bend = self.chest.ribs
        return first - 0.1 + slope * out + bend * out**2

    def _callus(self) -> Map:
        """New bone around broken ribs."""
        bright = np.zeros_like(self.x)
        for crack in self.chest.breaks:
            height = self._first_rib(crack.reach) + crack.rib * self.chest.ribs[1] + crack.step / 2
            away = ((self.x * crack.side - crack.reach) / 0.06) ** 2 + ((self.y - height) / 0.05) ** 2
            bright += crack.callus * np.exp(-away)
        return bright

    def _patch(self, patch: Patch) -> Map:
        away = ((self.x - patch.x) / patch.radius) ** 2 + ((self.y - patch.y) / (1.2 * patch.radius)) ** 2
        return patch.dense * np.exp(-away) * (0.5 + cloud(patch.grain, self.edge, 14))

    def _fluid(self, fluid: Fluid) -> Map:
        """Everything below a level that rises towards the outer wall."""
        out = np.clip(fluid.side * self.x / self.chest.half, 0, 1)
        level = self.chest.floors[fluid.side > 0] + 0.1 - fluid.depth - fluid.rise * out**3
        return _soft(level - self.y, 0.05)

    def _wires(self) -> Map:
        """Cables and pads of electrodes, which no question is about."""
        bright = np.zeros_like(self.x)
        for x, y, slope in self.chest.wires:
            line = np.abs(self.y - y - slope * (self.x - x)) / np.hypot(1, slope) - 0.008
            pad = np.hypot(self.x - x, self.y - y) - 0.05
            bright = np.maximum(bright, np.maximum(0.2 * _soft(line, 0.012) * (self.y < y), 0.25 * _soft(pad, 0.03)))
        return bright
