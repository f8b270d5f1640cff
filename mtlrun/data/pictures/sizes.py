"""How large pictures and masks are, read from the beginning of their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from mtlrun.data.readers.image_files import UNREADABLE, Size, unreadable
from mtlrun.errors import ConfigError, DataError
from mtlrun.options import whole

ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)
"""The EXIF tag that says how a camera was held, and its values that exchange height and width."""
LEAST, MOST = 8, 8192


def size_of_picture(path: Path) -> Size:
    """Height and width as the picture is shown, upright.

    Raises:
        DataError: naming the file, if it is no picture.
    """
    try:
        with Image.open(path) as file:
            # Pillow decodes a whole PNG to look for a tag behind its pixels, where next to no program puts one.
            tags = file.getexif() if file.format != "PNG" or "exif" in file.info else {}
            turned = tags.get(ORIENTATION) in TURNED
            return (file.width, file.height) if turned else (file.height, file.width)
    except UNREADABLE as error:
        raise unreadable(str(path), error) from error


def asked_size(size: int | Sequence[int] | None) -> Size | None:
    """The height and width of all rows that `data.size` states.

    Raises:
        ConfigError: if it is anything but a whole number or a list of two.
    """
    if size is None:
        return None
    if isinstance(size, str) or (isinstance(size, Sequence) and len(size) != 2):
        raise ConfigError(f"data.size={size}: a number of pixels, or [height,width]")
    height, width = size if isinstance(size, Sequence) else (size, size)
    return whole("data.size", height, LEAST, MOST), whole("data.size", width, LEAST, MOST)


def common_size(sizes: Sequence[Size]) -> Size:
    """The one size that all pictures have.

    Raises:
        DataError: if there are several.
    """
    known = sorted({*sizes})
    if len(known) > 1:
        (height, width), (high, wide) = known[0], known[-1]
        raise DataError(
            f"the pictures have {len(known)} sizes, from {height}x{width} to {high}x{wide}: say which one they are "
            f"brought to, with data.size=64 or 'data.size=[{height},{width}]'"
        )
    return known[0]


def in_words(size: Size) -> str:
    """'48x64', height first."""
    return f"{size[0]}x{size[1]}"
