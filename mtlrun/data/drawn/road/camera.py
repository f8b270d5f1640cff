"""Where a point of the road scene appears in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Spot = tuple[float, float, float]
"""A point in road coordinates, metres: right of the road's centre line, above ground, ahead of the camera."""

Pixel = tuple[float, float]
"""Column and row; pixel i covers the interval [i, i + 1)."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera over flat ground. Road coordinates bend with the road, and all that is on it.

    focal: in pixels; horizon: its row; centre: the column straight ahead; height: above ground, in metres.
    offset: of the road's centre line from the camera at 0 m, in metres; heading: the road's slope there;
    curvature: of the road, 1/m.
    """

    focal: float
    horizon: float
    centre: float
    height: float
    offset: float
    heading: float
    curvature: float

    def lateral(self, side: float, ahead: float) -> float:
        """Metres to the right of the optical axis."""
        return side + self.offset + ahead * (self.heading + 0.5 * self.curvature * ahead)

    def project(self, spot: Spot) -> Pixel:
        """The pixel of a spot ahead of the camera."""
        return self.project_all([spot])[0]

    def project_all(self, spots: Sequence[Spot]) -> list[Pixel]:
        """The pixels of spots ahead of the camera."""
        # The innermost loop of drawing: `lateral` is written out, and attributes are read once.
        focal, centre, horizon, height = self.focal, self.centre, self.horizon, self.height
        offset, heading, bend = self.offset, self.heading, 0.5 * self.curvature
        pixels = []
        for side, up, ahead in spots:
            scale = focal / ahead
            across = side + offset + ahead * (heading + bend * ahead)
            pixels.append((centre + scale * across, horizon + scale * (height - up)))
        return pixels

    def pixels(self, metres: float, ahead: float) -> float:
        """Size in pixels of a length at this distance."""
        return metres * self.focal / ahead
