"""Small pieces of SVG. Everything is escaped here; colours are classes of the page's style sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log10

from markupsafe import Markup, escape


def tag(name: str, attributes: Mapping[str, object], *children: str | Markup) -> Markup:
    """An element; children that are plain text are escaped."""
    words = Markup("").join(Markup(' {}="{}"').format(key, _short(value)) for key, value in attributes.items())
    return Markup("<{}{}>{}</{}>").format(Markup(name), words, Markup("").join(map(escape, children)), Markup(name))


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within the range, at most so many."""
    if high <= low:
        return [low]
    step = _round_step((high - low) / most)
    first = -floor(-low / step + 1e-9)
    return [(first + place) * step for place in range(most + 1) if (first + place) * step <= high + 1e-9 * step]


def tick_texts(values: Sequence[float]) -> list[str]:
    """With as many decimals as tell them apart."""
    if len(values) < 2:
        return [f"{value:.4g}" for value in values]
    places = max(0, -floor(log10(abs(values[1] - values[0])) + 1e-9))
    return [f"{value:.{places}f}" if abs(value) < 1e6 else f"{value:.2e}" for value in values]


def _round_step(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power: float = 10.0 ** floor(log10(step))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step * (1 - 1e-9))


def _short(value: object) -> object:
    return f"{value:.5g}" if isinstance(value, float) else value
