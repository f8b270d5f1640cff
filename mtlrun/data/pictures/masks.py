"""Masks of a user's pictures: which belongs to which, and what their values, or colours, mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.pictures.names import PictureNames
from mtlrun.data.pictures.sizes import in_words
from mtlrun.data.readers.class_masks import IGNORED, MaskClasses, mask_classes, pixels_of, shown
from mtlrun.data.readers.image_files import Size
from mtlrun.data.readers.label_files import label_files
from mtlrun.data.readers.mask_codes import codes_of_masks
from mtlrun.data.readers.plain_files import read_text
from mtlrun.data.tables.raw import TEXT, RawTable
from mtlrun.errors import ConfigError, DataError
from mtlrun.lines import shortened
from mtlrun.options import is_whole

UNLABELLED = "unlabelled"
"""Among the names of classes: the value, or colour, of pixels without a label."""
NAMES, COLOURS = ("classes.txt", "labels.txt"), "labelmap.txt"
"""Files beside masks: a name a line, in the order of the values; or CVAT's, NAME:R,G,B:: a line."""

Meaning = Sequence[str] | Mapping[str, Any]
"""What `data.mask_classes` says: names in the order of the values, or the value or colour of each name."""


@dataclass(frozen=True)
class PictureMasks:
    """The mask of each picture, by its place; what the files hold; and what was made of them, in words."""

    paths: Mapping[int, Path]
    classes: MaskClasses
    how: str


def masks_of_folder(folder: Path, pictures: PictureNames) -> dict[int, Path]:
    """The PNG files of a folder by the places of the pictures with their names.

    Raises:
        DataError: if there is none, or one belongs to no picture.
    """
    try:
        files = label_files(folder, ".png")
    except DataError as error:
        raise DataError(
            f"data.masks={folder}: {error}; masks are PNG files, other formats change their values"
        ) from None
    places = pictures.places([*files], str(folder), "mask")
    return {place: files[name] for name, place in places.items()}


def files_in_column(name: str, path: Path, table: RawTable, folder: Path) -> dict[int, Path]:
    """The masks that a column names, by row, from the table's folder or that of the pictures; a row may have none.

    Raises:
        DataError: if a file is not there.
    """
    found = {}
    for row, text in enumerate(table.columns[name].texts()):
        tried = [base / text for base in (path.parent, folder)]
        there = next((file for file in tried if file.is_file()), None)
        if text and there is None:
            raise DataError(f"{path}, row {row + 1}: no mask {tried[0]} (column '{name}')")
        if there is not None:
            found[row] = there
    return found


def check_no_pictures(
    name: str, path: Path, table: RawTable, folder: Path, masks: Mapping[int, Path], file: str | None
) -> None:
    """Refuse a column of masks that names the pictures.

    Args:
        name: of the column.
        path: of the table, for messages.
        table: as it was read.
        folder: of the pictures.
        masks: by row.
        file: the column of file names; None if it is to be found.

    Raises:
        DataError: if one of the masks is the picture that another column names.
    """
    files = {mask.resolve(): mask for mask in masks.values()}
    for other, column in table.columns.items():
        if column.kind != TEXT or (other != file if file is not None else other == name):
            continue
        named = ((base / text).resolve() for text in column.texts() if text for base in (folder, Path()))
        same = next((files[picture] for picture in named if picture in files), None)
        if same is not None:
            raise DataError(
                f"{path}: the masks in column '{name}' are the pictures themselves, such as {same}: name a column, or "
                "a folder, of PNG masks with data.masks"
            )


def checked_masks(
    task: str, paths: Mapping[int, Path], folder: Path | None, meaning: Meaning | None, sizes: Sequence[Size]
) -> PictureMasks:
    """The masks with their classes. All of them are decoded, once: a value that has no class would end the training.

    Args:
        task: that they are labels of.
        paths: of the masks, by the pictures' places.
        folder: that may hold a file with the names; None for masks of a column.
        meaning: of the values or colours; None for that file, or what occurs.
        sizes: of all pictures, by their places.

    Raises:
        ConfigError: if `meaning` is no names, values or colours.
        DataError: if a mask has another size than its picture, or holds what is no class.
    """
    files = [str(path) for path in paths.values()]
    source = "data.mask_classes"
    if meaning is None and folder is not None:
        meaning, source = _of_file(folder)
    named = None if meaning is None else named_classes(source, meaning)
    found = codes_of_masks(files, named is not None and named.in_colours)
    for place, file, size in zip(paths, files, found.sizes.tolist()):
        if tuple(size) != sizes[place]:
            raise DataError(
                f"mask {file} is {in_words(size)} (height x width), and its picture {in_words(sizes[place])}"
            )
    if named is None:
        classes, said = _as_they_occur(task, found.codes.tolist())
    else:
        classes, said = named, f"classes by {source}: {codes_in_words(named)}"
        check_codes(files, named, found.codes)
    return PictureMasks(paths, classes, f"{len(files)} masks, {said}{_none(classes)}")


def check_codes(files: Sequence[str], classes: MaskClasses, codes: Array) -> None:
    """Raise DataError naming the first file with a code that has no class, if there is one among `codes` of all."""
    if not np.isin(codes, classes.codes).all():
        for file in files:
            classes.of(file, pixels_of(file, classes.in_colours))


def _as_they_occur(task: str, values: Sequence[int]) -> tuple[MaskClasses, str]:
    """The values that occur are the classes, under their numbers."""
    found = [value for value in values if value != IGNORED]
    if len(found) < 2:
        only = f"the value {found[0]}" if found else "no value"
        raise DataError(
            f"masks of task '{task}' hold {only} beside 255, which is no label: there is nothing to learn; if 255 is a "
            "class, say so with 'data.mask_classes={background: 0, thing: 255}'"
        )
    names = [str(value) for value in found]
    return mask_classes(names, found, False, [IGNORED]), f"classes are the values that occur: {shortened(names, 12)}"


def _of_file(folder: Path) -> tuple[Meaning | None, str]:
    """The names, or colours, that a file in the folder of the masks states; None if there is none."""
    if (path := folder / COLOURS).is_file():
        return _colours_of(path), str(path)
    for path in (folder / name for name in NAMES):
        if path.is_file():
            return [line.strip() for line in read_text(path).splitlines() if line.strip()], str(path)
    return None, ""


def _colours_of(path: Path) -> dict[str, list[int]]:
    found = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        parts = rest.partition(":")[0].split(",")
        if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
            raise DataError(f"{path}, line {number}: expected NAME:RED,GREEN,BLUE::, found '{line}'")
        found[name.strip()] = [int(part) for part in parts]
    return found


def named_classes(source: str, meaning: Meaning) -> MaskClasses:
    """Classes by their names.

    Args:
        source: of the names, for messages.
        meaning: a list, or a mapping to values from 0 to 255 or colours [r, g, b]; the name 'unlabelled' is no class.

    Raises:
        ConfigError: if it is anything else, names a class twice, or fewer than two.
    """
    if isinstance(meaning, str) or not isinstance(meaning, Mapping | Sequence):
        raise ConfigError(f"{source}={meaning}: should be a list of names, or {{NAME: VALUE}} or {{NAME: [r,g,b]}}")
    given = meaning if isinstance(meaning, Mapping) else {str(name): place for place, name in enumerate(meaning)}
    if len(given) < len(meaning):
        raise ConfigError(f"{source} names a class twice: {shortened([str(name) for name in meaning])}")
    codes = {str(name): _code(source, str(name), value) for name, value in given.items()}
    in_colours = {colour for _, colour in codes.values()}
    numbers = [code for code, _ in codes.values()]
    if len(in_colours) > 1 or len({*numbers}) < len(numbers):
        raise ConfigError(f"{source}: each class has a value or colour of its own, and all have values or all colours")
    unlabelled = codes.pop(UNLABELLED, None)
    if len(codes) < 2:
        raise ConfigError(f"{source} should name two classes or more, found {shortened([*codes]) or 'none'}")
    colours = True in in_colours
    none = ([] if unlabelled is None else [unlabelled[0]]) + ([] if colours else [IGNORED])
    return mask_classes([*codes], [code for code, _ in codes.values()], colours, none)


def _code(source: str, name: str, value: object) -> tuple[int, bool]:
    """(code, whether it is a colour)"""
    if is_whole(value) and 0 <= value <= IGNORED:  # type: ignore[operator]
        return int(value), False  # type: ignore[call-overload]
    if isinstance(value, list | tuple) and len(value) == 3 and all(is_whole(v) and 0 <= v <= IGNORED for v in value):
        red, green, blue = value
        return red << 16 | green << 8 | blue, True
    raise ConfigError(f"{source}: '{name}' should be a value from 0 to 255 or a colour [r,g,b], found {value!r}")


def codes_in_words(classes: MaskClasses) -> str:
    """Each class with its value or colour."""
    by_class = {int(number): int(code) for code, number in zip(classes.codes, classes.numbers)}
    return shortened([f"{name} is {shown(by_class[at], classes.in_colours)}" for at, name in enumerate(classes.names)])


def _none(classes: MaskClasses) -> str:
    """What stands for no label."""
    codes = [int(code) for code, number in zip(classes.codes, classes.numbers) if number == IGNORED]
    none = " and ".join(shown(code, classes.in_colours) for code in codes)
    return f"; {none} {'are' if len(codes) > 1 else 'is'} no label" if codes else ""
