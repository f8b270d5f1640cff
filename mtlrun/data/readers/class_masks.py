"""Masks in PNG files: a class per pixel, as a value, a place in the palette, or a colour."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from mtlrun.data.fingerprint import ids_of_files
from mtlrun.data.readers.image_files import UNREADABLE, DamagedFile, PictureRows, Size, unreadable

IGNORED = 255
"""No class: of pixels without a label."""

Pixels = NDArray[np.uint8] | NDArray[np.int64]
"""Codes [H, W]: values, or colours as red * 65536 + green * 256 + blue."""


@dataclass(frozen=True)
class MaskClasses:
    """What the numbers in files mean.

    names: of the classes.
    codes: int64 [K], in order: values, or colours as red * 65536 + green * 256 + blue.
    numbers: uint8 [K], the class of each code, 255 for none.
    in_colours: whether codes are colours.
    """

    names: list[str]
    codes: NDArray[np.int64]
    numbers: NDArray[np.uint8]
    in_colours: bool

    @cached_property
    def table(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Of each value from 0 to 255 the class, and whether it has a meaning."""
        classes, known = np.full(256, IGNORED, dtype=np.uint8), np.zeros(256, dtype=np.bool_)
        classes[self.codes], known[self.codes] = self.numbers, True
        return classes, known

    def of(self, path: str, pixels: Pixels) -> NDArray[np.uint8]:
        """The classes of pixels [H, W].

        Raises:
            DamagedFile: for a value or colour that has no class.
        """
        if self.in_colours:
            places = np.searchsorted(self.codes, pixels).clip(max=len(self.codes) - 1)
            known, classes = self.codes[places] == pixels, self.numbers[places]
        else:
            of_value, has_meaning = self.table
            known, classes = has_meaning[pixels], of_value[pixels]
        if not known.all():
            found = shown(int(pixels[~known][0]), self.in_colours)
            listed = ", ".join(shown(int(code), self.in_colours) for code in self.codes[:8])
            raise DamagedFile(f"{path} holds {found}, which is no class: data.mask_classes knows {listed}")
        return classes


def shown(code: int, colour: bool) -> str:
    """A value, or a colour as it is typed."""
    return f"the colour [{code >> 16},{code >> 8 & 255},{code & 255}]" if colour else f"the value {code}"


def mask_classes(
    names: Sequence[str], codes: Sequence[int], in_colours: bool, unlabelled: Collection[int]
) -> MaskClasses:
    """Classes with their codes, and the codes of pixels without a label, of which those of classes are none."""
    pairs = [(code, number) for number, code in enumerate(codes)]
    pairs += [(code, IGNORED) for code in {*unlabelled} - {*codes}]
    pairs.sort()
    return MaskClasses(
        [*names],
        np.array([code for code, _ in pairs], dtype=np.int64),
        np.array([number for _, number in pairs], dtype=np.uint8),
        in_colours,
    )


def classes_of_values(numbers: NDArray[np.uint8]) -> MaskClasses:
    """Classes without names, of every value of a byte: numbers uint8 [256], 255 for none."""
    return MaskClasses([], np.arange(256), numbers, False)


def pixels_of(path: str, in_colours: bool, size: Size | None = None) -> Pixels:
    """The codes of a file's pixels [H, W], upright as pictures are: values as uint8, colours as int64.

    Args:
        path: of the file.
        in_colours: whether codes are colours.
        size: that is made of it by the nearest pixel; None for that of the file.

    Raises:
        DamagedFile: if it cannot be read, or holds colours where values are wanted, or values above 255.
    """
    try:
        with Image.open(path) as file:
            mask = ImageOps.exif_transpose(file)
            mask = mask.convert("RGB") if in_colours else mask
            values = np.asarray(mask if size is None else mask.resize(size[::-1], Image.Resampling.NEAREST))
    except UNREADABLE as error:
        raise unreadable(path, error) from error
    if in_colours:
        codes: NDArray[np.int64] = values[..., 0].astype(np.int64)
        for channel in (1, 2):  # in place: pictures are large
            codes <<= 8
            codes |= values[..., channel]
        return codes
    if values.ndim == 3:
        values = _grey(path, values)
    if values.dtype != np.uint8 and (values.min(initial=0) < 0 or values.max(initial=0) > IGNORED):
        raise DamagedFile(f"{path} holds values up to {values.max()}: classes are 0 to 254, and 255 is no label")
    return values.astype(np.uint8, copy=False)


def _grey(path: str, values: NDArray[Any]) -> NDArray[Any]:
    """The one value of each pixel of a grey picture that was saved with several channels."""
    colours = values[..., :3] if values.shape[2] > 2 else values[..., :1]
    odd = (colours != colours[..., :1]).any(-1)
    if odd.any():
        red, green, blue = colours[odd][0].tolist()
        raise DamagedFile(
            f"{path} holds colours, such as [{red},{green},{blue}]: say which is which class with "
            f"'data.mask_classes={{NAME: [{red},{green},{blue}], ...}}'"
        )
    grey: NDArray[Any] = colours[..., 0]
    return grey


class ClassMasks(PictureRows):
    """Masks turned into classes: uint8 [H, W] by the nearest pixel, 255 for no label.

    Args:
        paths: of the files; None for a row without one, whose pixels are all 255.
        size: of the rows.
        classes: what the numbers in the files mean.
    """

    def __init__(self, paths: Sequence[Path | None], size: Size, classes: MaskClasses) -> None:
        self.paths = [None if path is None else str(path) for path in paths]
        self.size, self.shape, self.classes = size, size, classes

    def __len__(self) -> int:
        return len(self.paths)

    def row_ids(self) -> Tensor:
        return ids_of_files(self.paths)

    def read(self, row: int) -> NDArray[np.uint8]:
        path = self.paths[row]
        if path is None:
            return np.full(self.shape, IGNORED, dtype=np.uint8)
        return self.classes.of(path, pixels_of(path, self.classes.in_colours, self.size))
