"""Animals seen from the side, as ellipses and tapered strokes in a frame of their own.

The frame has the ground at 0, up is positive; x grows towards the head. One unit is about the height of a dog.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Place = tuple[float, float]


@dataclass(frozen=True)
class Blob:
    """A filled ellipse: its centre and its two radii."""

    centre: Place
    radii: Place


@dataclass(frozen=True)
class Limb:
    """A stroke from one place to another, as thick as said at either end."""

    start: Place
    end: Place
    thick: tuple[float, float]


Shape = Blob | Limb


@dataclass(frozen=True)
class Build:
    """Proportions of a four-legged animal.

    length, girth: of the trunk; legs: length and thickness; neck: length, rise (0 level, 1 upright) and thickness;
    head: length and height; muzzle: its reach; ears: length and width; tail: length, rise and thickness; hump: height
    of the shoulders over the hips.
    """

    length: float
    girth: float
    legs: Place
    neck: tuple[float, float, float]
    head: Place
    muzzle: float
    ears: Place
    tail: tuple[float, float, float]
    hump: float = 0.0


def dog(rng: Random) -> Build:
    """Deep chest, long muzzle, hanging or pointed ears, a tail that is carried high."""
    return Build(
        length=rng.uniform(0.85, 1.15),
        girth=rng.uniform(0.26, 0.36),
        legs=(rng.uniform(0.42, 0.55), 0.09),
        neck=(rng.uniform(0.2, 0.3), rng.uniform(0.6, 0.9), 0.17),
        head=(rng.uniform(0.15, 0.2), rng.uniform(0.12, 0.15)),
        muzzle=rng.uniform(0.17, 0.27),
        ears=(rng.uniform(-0.2, 0.14), 0.1),
        tail=(rng.uniform(0.3, 0.45), rng.uniform(0.3, 1.2), 0.06),
    )


def cat(rng: Random) -> Build:
    """Round head with small upright ears close to the trunk, flat face, long thin tail."""
    return Build(
        length=rng.uniform(0.75, 0.95),
        girth=rng.uniform(0.24, 0.33),
        legs=(rng.uniform(0.3, 0.4), 0.08),
        neck=(rng.uniform(0.08, 0.16), rng.uniform(0.6, 0.9), 0.18),
        head=(rng.uniform(0.17, 0.2), rng.uniform(0.16, 0.19)),
        muzzle=rng.uniform(0.02, 0.06),
        ears=(rng.uniform(0.12, 0.18), 0.12),
        tail=(rng.uniform(0.6, 0.85), rng.uniform(0.2, 1.4), 0.06),
    )


def giraffe(rng: Random) -> Build:
    """High legs, a sloping back, a neck as long as the legs, a small head with horns."""
    return Build(
        length=rng.uniform(0.6, 0.75),
        girth=rng.uniform(0.25, 0.32),
        legs=(rng.uniform(0.75, 0.95), 0.08),
        neck=(rng.uniform(0.75, 1.0), rng.uniform(0.8, 1.25), 0.16),
        head=(rng.uniform(0.12, 0.15), rng.uniform(0.08, 0.1)),
        muzzle=rng.uniform(0.12, 0.18),
        ears=(rng.uniform(0.1, 0.15), 0.05),
        tail=(rng.uniform(0.3, 0.4), rng.uniform(-1.3, -0.8), 0.04),
        hump=rng.uniform(0.1, 0.2),
    )


def horse(rng: Random) -> Build:
    """Neither dog, cat nor giraffe, but a little like each."""
    return Build(
        length=rng.uniform(0.8, 1.05),
        girth=rng.uniform(0.28, 0.35),
        legs=(rng.uniform(0.55, 0.7), 0.09),
        neck=(rng.uniform(0.38, 0.5), rng.uniform(0.6, 0.95), 0.2),
        head=(rng.uniform(0.13, 0.17), rng.uniform(0.1, 0.12)),
        muzzle=rng.uniform(0.22, 0.3),
        ears=(rng.uniform(0.08, 0.12), 0.06),
        tail=(rng.uniform(0.4, 0.55), rng.uniform(-1.3, -0.7), 0.1),
    )


def pig(rng: Random) -> Build:
    """Short legs, a fat trunk, hardly any neck or tail."""
    return Build(
        length=rng.uniform(0.85, 1.1),
        girth=rng.uniform(0.4, 0.5),
        legs=(rng.uniform(0.2, 0.28), 0.1),
        neck=(rng.uniform(0.05, 0.1), rng.uniform(0.1, 0.4), 0.3),
        head=(rng.uniform(0.18, 0.22), rng.uniform(0.16, 0.2)),
        muzzle=rng.uniform(0.12, 0.18),
        ears=(rng.uniform(0.08, 0.14), 0.1),
        tail=(rng.uniform(0.08, 0.15), rng.uniform(0.0, 1.0), 0.04),
    )


ANIMALS: dict[str, Callable[[Random], Build]] = {"dog": dog, "cat": cat, "giraffe": giraffe, "horse": horse, "pig": pig}
"""Everything that is drawn; the first three have detectors."""


def shapes(build: Build, rng: Random) -> list[Shape]:
    """The animal in one of its poses, walking towards positive x."""
    half, back = build.length / 2, build.legs[0] + build.girth / 2
    hips, shoulders = (-half + 0.1, back), (half - 0.1, back + build.hump)
    middle = (0.0, back + build.hump / 2)
    parts: list[Shape] = [
        Limb(hips, shoulders, (build.girth, build.girth * 1.1)),
        Blob(middle, (half * 0.8, build.girth * 0.52)),
    ]
    parts += [leg for foot in (hips, shoulders) for leg in _legs(foot, build, rng)]
    parts += _front(shoulders, build, rng.uniform(-0.1, 0.1))
    length, rise, thick = build.tail
    root = (hips[0] - 0.45 * build.girth, hips[1] + 0.2 * build.girth)
    bend = (root[0] - 0.5 * length, root[1] + 0.35 * length * rise)
    tip = (bend[0] - 0.2 * length, bend[1] + 0.5 * length * rise)
    return [*parts, Limb(root, bend, (thick * 1.3, thick)), Limb(bend, tip, (thick, thick * 0.7))]


def _legs(hip: Place, build: Build, rng: Random) -> list[Shape]:
    """Two legs, apart by the step."""
    length, thick = build.legs
    step = rng.uniform(0.05, 0.3) * length
    top = (hip[0], hip[1] - 0.2 * build.girth)
    return [Limb(top, (hip[0] + way * step, 0.0), (thick * 1.7, thick)) for way in (-1, 1)]


def _front(shoulders: Place, build: Build, nod: float) -> list[Shape]:
    """Neck, head, muzzle and ears."""
    length, rise, thick = build.neck
    scale = length / (1 + rise**2) ** 0.5
    throat = (shoulders[0] + 0.35 * build.girth, shoulders[1] + 0.15 * build.girth)
    crown = (throat[0] + scale, throat[1] + rise * scale)
    wide, high = build.head
    face = (crown[0] + 0.5 * wide, crown[1] + 0.3 * high)
    nose = (face[0] + wide * 0.6 + build.muzzle, face[1] - 0.3 * high + nod)
    long, broad = build.ears
    ear = (face[0] - 0.4 * wide, face[1] + 0.6 * high)
    return [
        Limb(shoulders, crown, (build.girth * 0.9, thick)),
        Blob(face, (wide, high)),
        Limb(face, nose, (high * 1.3, high * 0.8)),
        Limb(ear, (ear[0] - 0.3 * abs(long), ear[1] + long), (broad, broad * 0.4)),
        Limb((ear[0] + 0.1, ear[1]), (ear[0] + 0.1, ear[1] + long), (broad, broad * 0.4)),
    ]
