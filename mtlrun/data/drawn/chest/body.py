"""A chest between the X-ray tube and the film: what is where, drawn from one random stream.

Places are in the film's coordinates: x from -1 (left edge of the picture, the patient's right) to 1, y from -1
(top) to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

LIMIT = 0.5
HEART_NORMAL, HEART_LARGE = (0.41, LIMIT), (LIMIT, 0.6)
"""The cardiothoracic ratio, width of the heart over that of the chest: above the limit the heart counts as enlarged."""

RIBS = 8


@dataclass(frozen=True)
class Patch:
    """Pneumonia: a cloudy patch. x, y: its centre; radius: along x; dense: how much it brightens; grain: seed of its
    texture."""

    x: float
    y: float
    radius: float
    dense: float
    grain: int


@dataclass(frozen=True)
class Break:
    """Fracture: beyond `reach` from the spine, a rib continues `step` lower; new bone around the gap brightens it by
    `callus`. side: -1 or 1; rib: from the top."""

    side: int
    rib: int
    reach: float
    step: float
    callus: float


@dataclass(frozen=True)
class Fluid:
    """Pleural effusion: fluid at the base of a lung. side: -1 or 1; depth: above the diaphragm; rise: at the wall."""

    side: int
    depth: float
    rise: float


@dataclass(frozen=True)
class Chest:
    """centre: of the spine; half: of the chest's width; top: of the lungs; floors: height of the diaphragm on both
    sides; ratio: heart width over chest width; tilt: of the heart; ribs: y of the first one, distance, slope and
    bend; breast: brightness of soft tissue over the lower lungs; wires: of electrodes, as (x, y, slope)."""

    centre: float
    half: float
    top: float
    floors: tuple[float, float]
    ratio: float
    tilt: float
    ribs: tuple[float, float, float, float]
    breast: float
    wires: tuple[tuple[float, float, float], ...]
    patches: tuple[Patch, ...]
    breaks: tuple[Break, ...]
    fluids: tuple[Fluid, ...]

    def findings(self) -> tuple[bool, bool, bool, bool]:
        """Pneumonia, fracture, cardiomegaly, pleural effusion."""
        return bool(self.patches), bool(self.breaks), self.ratio > LIMIT, bool(self.fluids)


def random_chest(rng: Random) -> Chest:
    """A chest with none, one or several findings; an enlarged heart comes with fluid more often than not."""
    large = rng.random() < 0.35
    half, top = rng.uniform(0.68, 0.82), rng.uniform(-0.78, -0.66)
    floor = rng.uniform(0.36, 0.6)
    fluids = _fluids(rng) if rng.random() < (0.55 if large else 0.25) else ()
    return Chest(
        centre=rng.uniform(-0.05, 0.05),
        half=half,
        top=top,
        floors=(floor - rng.uniform(0.0, 0.06), floor + rng.uniform(0.0, 0.06)),
        ratio=rng.uniform(*(HEART_LARGE if large else HEART_NORMAL)),
        tilt=rng.uniform(-0.15, 0.35),
        ribs=(top + rng.uniform(0.02, 0.1), rng.uniform(0.145, 0.175), rng.uniform(0.05, 0.2), rng.uniform(0.15, 0.35)),
        breast=rng.uniform(0.02, 0.1) if rng.random() < 0.4 else 0.0,
        wires=tuple(_wire(rng) for _ in range(rng.choice((0, 0, 0, 1, 2)))),
        patches=_patches(rng, half, top, floor) if rng.random() < 0.35 else (),
        breaks=_breaks(rng) if rng.random() < 0.35 else (),
        fluids=fluids,
    )


def _patches(rng: Random, half: float, top: float, floor: float) -> tuple[Patch, ...]:
    """One patch, now and then two."""
    return tuple(
        Patch(
            x=rng.choice((-1, 1)) * rng.uniform(0.42, 0.68) * half,
            y=rng.uniform(top + 0.3, floor - 0.12),
            radius=rng.uniform(0.12, 0.24),
            dense=rng.uniform(0.1, 0.24),
            grain=rng.randrange(2**31),
        )
        for _ in range(rng.choice((1, 1, 1, 2)))
    )


def _breaks(rng: Random) -> tuple[Break, ...]:
    """One to three neighbouring ribs; newer breaks show less new bone."""
    side, reach, callus = rng.choice((-1, 1)), rng.uniform(0.4, 0.6), rng.uniform(0.2, 0.45)
    count = rng.choice((1, 2, 2, 3))
    first = rng.randint(1, 5 - count)
    return tuple(
        Break(
            side=side,
            rib=first + index,
            reach=reach + rng.uniform(-0.04, 0.04),
            step=rng.choice((-1, 1)) * rng.uniform(0.05, 0.09),
            callus=callus,
        )
        for index in range(count)
    )


def _fluids(rng: Random) -> tuple[Fluid, ...]:
    """On one side, or on both."""
    sides = rng.choice(((-1,), (1,), (-1, 1)))
    return tuple(Fluid(side, rng.uniform(-0.02, 0.2), rng.uniform(0.06, 0.22)) for side in sides)


def _wire(rng: Random) -> tuple[float, float, float]:
    return rng.uniform(-0.6, 0.6), rng.uniform(-0.5, 0.5), rng.uniform(-1.5, 1.5)
