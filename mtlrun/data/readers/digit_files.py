"""Where MNIST and Fashion-MNIST may lie on disk, and what to do when they do not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mtlrun.data.drawn.overlay import Items
from mtlrun.data.readers.digit_folders import part_in, read_pictures
from mtlrun.data.readers.folders import step_down
from mtlrun.data.readers.idx import read_idx
from mtlrun.errors import DataError

EDGE = 28
NUM_CLASSES = 10
PARTS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


@dataclass(frozen=True)
class Collection:
    """A collection of labelled 28x28 pictures, in four IDX files or in folders of the classes.

    name: as torchvision calls its class and its folder.
    folders: under the data folder, in the order they are tried.
    fallbacks: folders of system packages, tried last if the user names no folder.
    package: of Debian, that installs one of the fallbacks.
    """

    name: str
    folders: tuple[str, ...]
    fallbacks: tuple[str, ...] = ()
    package: str | None = None


MNIST = Collection("MNIST", ("MNIST/raw", "MNIST", "mnist", "mnist_png", "mnist_jpg"))
FASHION = Collection(
    "FashionMNIST",
    ("FashionMNIST/raw", "FashionMNIST", "fashion-mnist", "fashion_mnist_png", "fashion-mnist-png"),
    fallbacks=("/usr/share/datasets/fashion-mnist", "/usr/share/dataset-fashion-mnist"),
    package="dataset-fashion-mnist",
)


def read_items(folder: Path, part: str) -> Items:
    """The pictures and classes of a part, 'train' or 't10k' (the official test set).

    Raises:
        DataError: if a file is missing, malformed, or does not hold 28x28 pictures of ten classes.
    """
    pictures = part_in(folder, part)
    if pictures is not None and not any(file_in(folder, name) for name in PARTS):
        return read_pictures(pictures)
    images_path, labels_path = file_of(folder, f"{part}-images-idx3"), file_of(folder, f"{part}-labels-idx1")
    images, labels = read_idx(images_path, num_dims=3), read_idx(labels_path, num_dims=1)
    if len(images) != len(labels) or not len(images):
        raise DataError(f"{images_path} holds {len(images)} pictures but {labels_path} {len(labels)} labels")
    if images.shape[1:] != (EDGE, EDGE):
        found = " x ".join(map(str, images.shape[1:]))
        raise DataError(f"{images_path} should hold 28 x 28 pictures, found {found}")
    if labels.max() >= NUM_CLASSES:
        raise DataError(f"{labels_path} should hold the classes 0 to 9, found {labels.max()}")
    return Items(torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64)))


def find_folder(collection: Collection, root: Path, alone: bool, named: bool) -> Path:
    """The first folder with files of the collection.

    Args:
        root: the data folder.
        alone: whether `root` may hold the files itself: not if two collections are wanted, whose files
            have the same names.
        named: whether the user named `root`: no other folder is searched then.

    Raises:
        DataError: if there is none; the line says what was looked for, where, and how to get it.
    """
    under = [root / folder for folder in collection.folders]
    tried = [*under, *([root] if alone else []), *([] if named else map(Path, collection.fallbacks))]
    for folder in tried:
        if has_digits(folder):
            return folder
    below = (
        step_down(root, lambda inner: any(has_digits(inner / name) for name in collection.folders)) if named else None
    )
    if below is not None:
        return next(below / name for name in collection.folders if has_digits(below / name))
    raise DataError(absent(collection, root, tried, named))


def has_digits(folder: Path) -> bool:
    """Whether an IDX file is there, or a folder for each class."""
    return any(file_in(folder, part) for part in PARTS) or any(part_in(folder, part) for part in ("train", "t10k"))


def absent(collection: Collection, root: Path, tried: list[Path], named: bool) -> str:
    """What to tell a user who has no such files."""
    without = " without data.root or MTLRUN_DATA" if named else ""
    install = f"`apt-get install {collection.package}`{without}, or " if collection.package else ""
    download = (
        f'python -c "import torchvision.datasets as d; '
        f"[d.{collection.name}('{root}', train=t, download=True) for t in (True, False)]\""
    )
    return (
        f"no {collection.name} files {', '.join(f'{part}-ubyte' for part in PARTS)} (each plain or .gz, or folders "
        "training/0 to 9 and testing/0 to 9) in "
        f"{', '.join(map(str, tried))}: {install}put them into {root / collection.folders[0]}, "
        f"or set data.root to where they are, or download them with `{download}`"
    )


def file_of(folder: Path, part: str) -> Path:
    """The file of a part; DataError if it is missing beside the others."""
    path = file_in(folder, part)
    if path is None and any(part_in(folder, name) for name in ("train", "t10k")):
        raise DataError(
            f"{folder} has folders of digits for one part alone: it needs training/0 to 9 and testing/0 to 9"
        )
    if path is None:
        raise DataError(f"{folder} lacks {part}-ubyte (plain or .gz): put it beside its other IDX files")
    return path


def file_in(folder: Path, part: str) -> Path | None:
    """The file of a part, under the names that are in use; None if there is none."""
    stems = (f"{part}-ubyte", f"{part.replace('-idx', '.idx')}-ubyte")
    names = [stem + suffix for stem in stems for suffix in ("", ".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)
