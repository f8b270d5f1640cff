"""MNIST and its successors as pictures in a folder per class: training/0/ to training/9/, and testing/ likewise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mtlrun.data.drawn.overlay import Items
from mtlrun.data.readers.folders import is_picture
from mtlrun.data.readers.image_files import UNREADABLE, unreadable
from mtlrun.errors import DataError

EDGE = 28
CLASSES = [str(number) for number in range(10)]
PARTS = {"train": ("training", "train", "trainingSet"), "t10k": ("testing", "test", "testSet")}
"""Names of the folders of the official parts."""


def part_in(folder: Path, part: str) -> Path | None:
    """The folder of a part, 'train' or 't10k', that has a folder for each digit; None if there is none."""
    places = [folder / name / inner for name in PARTS[part] for inner in (".", name)]
    return next((place for place in places if all((place / digit).is_dir() for digit in CLASSES)), None)


def read_pictures(folder: Path) -> Items:
    """The pictures of a part, whose folders are called 0 to 9.

    Numbers for names, each used once, are the places in the official files, and the order is theirs. Else pictures are
    put in a fixed order at random: by class, the last sixth would be nines alone.

    Raises:
        DataError: if there is none, or one is damaged or not of 28 x 28 pixels.
    """
    found = [(path, label) for label, digit in enumerate(CLASSES) for path in sorted((folder / digit).iterdir())]
    found = [(path, label) for path, label in found if is_picture(path)]
    if not found:
        raise DataError(f"no pictures in {folder}/0 to {folder}/9: unpack the archive again")
    names = [path.stem for path, _ in found]
    if all(name.isdecimal() for name in names) and len({*map(int, names)}) == len(names):
        order = sorted(range(len(found)), key=lambda row: int(names[row]))
    else:
        order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0)).tolist()
    images = np.stack([_square(found[row][0]) for row in order])
    return Items(torch.from_numpy(images), torch.tensor([found[row][1] for row in order]))


def _square(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as file:
            values = np.asarray(file.convert("L"))
    except UNREADABLE as error:
        raise unreadable(str(path), error) from error
    if values.shape != (EDGE, EDGE):
        found = " x ".join(map(str, values.shape))
        raise DataError(f"{path} should be a picture of {EDGE} x {EDGE} pixels, found {found}")
    return values
