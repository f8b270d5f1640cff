"""Time of day and weather: the colours of sky and air before drawing, light and sensor noise after."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from mtlrun.data.drawn.road.pen import RGB, mix, shade


@dataclass(frozen=True)
class Weather:
    """sky: colour at the top and at the horizon; haze: density of the air, 1/m; ambient: light per channel;
    headlights: light that the own car adds on the road ahead; glow: brightness of lamps; noise: standard
    deviation of the sensor, in grey levels; lamps_on: whether cars and street lamps are lit."""

    sky: tuple[RGB, RGB]
    haze: float
    ambient: tuple[float, float, float]
    headlights: float
    glow: float
    noise: float
    lamps_on: bool


CLEAR = Weather(((70, 128, 206), (186, 212, 236)), 0.002, (1.05, 1.02, 0.96), 0.0, 1.0, 3.0, False)
OVERCAST = Weather(((148, 156, 166), (204, 208, 212)), 0.005, (0.82, 0.84, 0.87), 0.0, 1.0, 4.0, False)
DUSK = Weather(((58, 62, 112), (236, 156, 104)), 0.005, (0.62, 0.5, 0.5), 0.12, 1.0, 5.0, True)
NIGHT = Weather(((9, 12, 28), (30, 33, 54)), 0.004, (0.25, 0.27, 0.37), 0.7, 1.0, 7.0, True)
FOG = Weather(((176, 182, 186), (196, 200, 202)), 0.026, (0.84, 0.86, 0.88), 0.0, 1.0, 4.0, True)


def random_weather(rng: Random) -> Weather:
    """One of the five, with its own strength."""
    base = rng.choices([CLEAR, OVERCAST, DUSK, NIGHT, FOG], [6, 5, 4, 4, 3])[0]
    gain, tint = rng.uniform(0.82, 1.12), rng.uniform(-0.05, 0.05)
    red, green, blue = base.ambient
    return Weather(
        sky=(shade(base.sky[0], gain), shade(base.sky[1], gain)),
        haze=base.haze * rng.uniform(0.6, 1.5),
        ambient=(red * gain * (1 + tint), green * gain, blue * gain * (1 - tint)),
        headlights=base.headlights * rng.uniform(0.8, 1.2),
        glow=base.glow,
        noise=base.noise * rng.uniform(0.6, 1.5),
        lamps_on=base.lamps_on,
    )


def sky_rows(weather: Weather, ground: RGB, horizon: int, rows: int) -> np.ndarray:
    """The backdrop, colour and glow per row: uint8 [rows, 4]. The sky shines, the ground does not."""
    colours = np.zeros((rows, 4))
    horizon = min(max(horizon, 1), rows - 1)
    down = np.linspace(0, 1, horizon)[:, None] ** 0.8
    top, low = np.array(weather.sky[0]), np.array(weather.sky[1])
    colours[:horizon, :3] = top + (low - top) * down
    colours[:horizon, 3] = 255
    near = np.linspace(0, 1, rows - horizon)[:, None] ** 0.5
    far_colour = np.array(mix(ground, weather.sky[1], min(0.85, 0.25 + 25 * weather.haze)))
    colours[horizon:, :3] = far_colour + (np.array(ground) - far_colour) * near
    return colours.clip(0, 255).astype(np.uint8)


def develop(picture: np.ndarray, weather: Weather, horizon: float, seed: tuple[int, ...]) -> np.ndarray:
    """Light falls on the drawing and a sensor sees it.

    Args:
        picture: colours and glow, float32 [H, W, 4], 0 to 255.
        horizon: its row; headlights shine below it.
        seed: of the sensor noise.

    Returns:
        uint8 [3, H, W].
    """
    rng = np.random.default_rng(seed)
    shine = picture[..., 3:] * (weather.glow / 255)
    light = _texture(rng, picture.shape[:2]) * np.array(weather.ambient, dtype=np.float32)
    if weather.headlights:
        light += weather.headlights * _beam(picture.shape[:2], horizon)
    seen = picture[..., :3] * (light * (1 - shine) + shine)
    if weather.lamps_on and weather.headlights:
        seen += _bloom(picture[..., :3] * shine, seen.shape[0] / 40) * weather.headlights
    return sense(seen, weather.noise, rng)


def sense(seen: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Add sensor noise (brighter pixels have more) to [H, W, 3], 0 to 255, and round to uint8 [3, H, W]."""
    grain = rng.standard_normal(seen.shape, dtype=np.float32)
    grain *= seen * (noise / 320) + 0.6 * noise
    grain += seen
    np.clip(grain, 0, 255, out=grain)
    return np.ascontiguousarray(grain.astype(np.uint8).transpose(2, 0, 1))


def _texture(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Soft patches of light and dark around 1: [H, W, 1]."""
    coarse = rng.normal(1.0, 0.07, (8, 12)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))[..., None]


def _beam(shape: tuple[int, int], horizon: float) -> np.ndarray:
    """Brightness of the own headlights, 0 to 1: a wide ellipse on the road ahead, [H, W, 1]."""
    middle = horizon + 0.32 * (shape[0] - horizon)
    across = (np.arange(shape[1], dtype=np.float32) - shape[1] / 2) / (0.42 * shape[1])
    along = (np.arange(shape[0], dtype=np.float32) - middle) / (0.42 * shape[0])
    return (np.exp(-(along**2))[:, None] * np.exp(-(across**2)))[..., None]


def _bloom(shine: np.ndarray, radius: float) -> np.ndarray:
    """The halo around lamps: [H, W, 3]."""
    # The sky shines too, but evenly: without the clip it would bleed over the horizon.
    bright = np.maximum(shine[..., 0], shine[..., 1]) > 110
    lamps = shine * bright[..., None]
    image = Image.fromarray(lamps.clip(0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.BoxBlur(radius)), dtype=np.float32) * 1.5
