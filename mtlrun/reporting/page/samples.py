"""Sample predictions as thumbnails, as far as a page that one can mail has room for them."""

from __future__ import annotations

import io
import os
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from mtlrun.reporting.page.content import PageRow

_MOST_BYTES = 120_000  # of all pictures of a page; in base64 a third more
_MOST_EACH = 40_000
_WIDTH, _MOST_PIXELS = 640, 40_000_000


@dataclass(frozen=True)
class Sample:
    """A picture of a row's first run. data: what an <img> shows; None where it is left out for its size.

    link: relative to the page; None where the page's place is not known.
    """

    row: PageRow
    name: str
    data: str | None
    link: str | None


def samples(rows: Sequence[PageRow], home: Path | None, share: float = 1.0) -> list[Sample]:
    """The sample pictures of the rows, thumbnails until `share` of the room is used up."""
    found, left = [], share * _MOST_BYTES
    for row, path in _pictures(rows):
        data = _thumbnail(path, min(_MOST_EACH, left))
        left -= len(data or b"")
        text = f"data:image/webp;base64,{b64encode(data).decode()}" if data else None
        found.append(Sample(row, str(path), text, _link(path, home)))
    return found


def _pictures(rows: Sequence[PageRow]) -> Iterator[tuple[PageRow, Path]]:
    for row in rows:
        for run in row.runs[:1]:
            yield from ((row, path) for path in sorted((run.path / "plots").glob("samples*.png")))


def _thumbnail(path: Path, most: float) -> bytes | None:
    """The picture in few bytes; None if it cannot be read, or does not get small enough."""
    file = io.BytesIO()
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            small = image.convert("RGB")
        small.thumbnail((_WIDTH, 4 * _WIDTH))
        small.save(file, "WEBP", quality=60, method=4)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    return file.getvalue() if len(file.getvalue()) <= most else None


def _link(path: Path, home: Path | None) -> str | None:
    """From the page to the picture, where a browser could follow it."""
    if home is None:
        return None
    try:
        return Path(os.path.relpath(path.resolve(), home.resolve())).as_posix()
    except ValueError:  # another drive
        return None
