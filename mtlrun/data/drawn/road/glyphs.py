"""Digits and letters as strokes, so that signs need no font."""

from __future__ import annotations

from itertools import pairwise

Point = tuple[float, float]

GLYPHS: dict[str, list[list[Point]]] = {
    "0": [[(-0.5, 1), (0.5, 1), (0.5, -1), (-0.5, -1), (-0.5, 1)]],
    "1": [[(-0.3, 0.6), (0.1, 1), (0.1, -1)]],
    "2": [[(-0.5, 0.6), (-0.3, 1), (0.4, 1), (0.5, 0.3), (-0.5, -1), (0.5, -1)]],
    "3": [[(-0.5, 1), (0.5, 1), (0, 0.2), (0.5, -0.2), (0.4, -1), (-0.5, -1)]],
    "5": [[(0.5, 1), (-0.45, 1), (-0.5, 0.1), (0.4, 0.15), (0.5, -0.6), (0.3, -1), (-0.5, -1)]],
    "6": [[(0.45, 1), (-0.3, 0.7), (-0.5, -0.2), (-0.4, -1), (0.4, -1), (0.5, 0.05), (-0.45, 0)]],
    "7": [[(-0.5, 1), (0.5, 1), (-0.1, -1)]],
    "8": [[(-0.45, 0.05), (-0.4, 1), (0.4, 1), (0.45, 0.05), (-0.5, 0), (-0.5, -1), (0.5, -1), (0.45, 0.05)]],
    "9": [[(0.45, 0), (-0.45, -0.05), (-0.5, 1), (0.4, 1), (0.5, 0.2), (0.2, -1)]],
    "S": [[(0.5, 0.9), (-0.4, 1), (-0.5, 0.1), (0.5, -0.1), (0.4, -1), (-0.5, -0.9)]],
    "T": [[(-0.55, 1), (0.55, 1)], [(0, 1), (0, -1)]],
    "O": [[(-0.35, 1), (0.35, 1), (0.5, 0), (0.35, -1), (-0.35, -1), (-0.5, 0), (-0.35, 1)]],
    "P": [[(-0.45, -1), (-0.45, 1), (0.4, 1), (0.5, 0.4), (0.4, 0), (-0.45, 0)]],
}
"""Polylines per character in a box from -0.5 to 0.5 across and -1 to 1 up."""


def stroke(start: Point, end: Point, width: float) -> list[Point]:
    """The corners of a thick line."""
    (x0, y0), (x1, y1) = start, end
    length = max(1e-6, ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5)
    along_x, along_y = (x1 - x0) / length * width / 2, (y1 - y0) / length * width / 2
    x0, y0, x1, y1 = x0 - along_x * 0.7, y0 - along_y * 0.7, x1 + along_x * 0.7, y1 + along_y * 0.7
    return [
        (x0 - along_y, y0 + along_x),
        (x1 - along_y, y1 + along_x),
        (x1 + along_y, y1 - along_x),
        (x0 + along_y, y0 - along_x),
    ]


def text(word: str, height: float, spacing: float, width: float) -> list[list[Point]]:
    """A word centred on the origin, as polygons. height: of a character; spacing: from one to the next."""
    size = height / 2
    quads = []
    for index, character in enumerate(word):
        shift = (index - (len(word) - 1) / 2) * spacing
        for line in GLYPHS[character]:
            points = [(shift + x * size * 0.85, y * size) for x, y in line]
            quads += [stroke(start, end, width) for start, end in pairwise(points)]
    return quads
