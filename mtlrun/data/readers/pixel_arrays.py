"""Pictures with labels per pixel, one .npy file per row and kind, read when they are needed.

The layout of the preprocessed NYUv2 and Cityscapes that the papers since Liu et al., "End-to-End Multi-Task Learning
with Attention", CVPR 2019, https://arxiv.org/abs/1803.10704, train on: folders `train` and `val`, in each a folder per
kind (`image`, `label`, `depth`, `normal`), in each the files 0.npy, 1.npy, ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.fingerprint import ids_of_files, ids_of_texts
from mtlrun.data.pixel_augment import Kind, augmented
from mtlrun.data.readers.folders import above, step_down
from mtlrun.data.readers.image_files import DamagedFile
from mtlrun.data.readers.npz import DAMAGE
from mtlrun.data.source import Source, Splits
from mtlrun.errors import ConfigError, DataError
from mtlrun.options import flag, share

IGNORED = 255
IMAGES = "image"
SAMPLE = 64
"""Rows whose labels stand for all where constants are learned from them."""

Layers = Mapping[str, tuple[str, Kind]]
"""Task -> its folder, and how its arrays are read."""


class PixelArrays(Source):
    """Images [B, 3, H, W], float32 as they are on disk, and per task [B, H, W] or [B, 3, H, W].

    Args:
        name: of the source.
        folder: `train` or `val`.
        rows: numbers of the files.
        layers: of the tasks.
        augment: whether `fetch` scales, crops and mirrors at random.

    Raises:
        DataError: if the first picture is damaged. `fetch` names any other file that is.
    """

    def __init__(self, name: str, folder: Path, rows: Sequence[int], layers: Layers, augment: bool = False) -> None:
        self.name, self.tasks = name, tuple(layers)
        self._folder, self._rows, self._layers, self._augment = folder, list(rows), dict(layers), augment
        first = self._image(0)
        self.input_shape = tuple(first.shape)
        self._shape = first.shape[1:]

    def __len__(self) -> int:
        return len(self._rows)

    def labelled(self, task: str) -> Tensor:
        return torch.ones(len(self), dtype=torch.bool)

    def fetch(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        pictures, labels = [], []
        start = int(torch.randint(2**31, ())) if self._augment else None
        for row in rows.tolist():
            picture, layers = self._image(row), {task: self._layer(row, task) for task in self.tasks}
            if start is not None:
                generator = torch.Generator().manual_seed(hash((start, row)) % 2**63)
                picture, layers = augmented(picture, layers, self._kinds(), generator)
            pictures.append(picture)
            labels.append(layers)
        return torch.stack(pictures), {task: torch.stack([layers[task] for layers in labels]) for task in self.tasks}

    def targets(self, task: str) -> Tensor:
        """Labels of up to 64 rows at even distances, as they are on disk."""
        count = min(len(self), SAMPLE)
        return torch.stack([self._layer(index * len(self) // count, task) for index in range(count)])

    def row_ids(self) -> Tensor:
        return self._files(IMAGES)

    def label_ids(self, task: str) -> Tensor:
        """Numbers of the files of all rows, as reading them takes long."""
        return self._files(self._layers[task][0])

    def _files(self, folder: str) -> Tensor:
        paths = [self._folder / folder / f"{row}.npy" for row in self._rows]
        return ids_of_files(paths) ^ ids_of_texts([self._folder.name])  # train and val both have a 0.npy

    def _kinds(self) -> dict[str, Kind]:
        return {task: kind for task, (_, kind) in self._layers.items()}

    def _image(self, row: int) -> Tensor:
        path, values = self._read(row, IMAGES)
        if values.ndim != 3 or values.shape[2] != 3 or (row and values.shape[:2] != self._shape):
            wanted = "x".join(map(str, (*self._shape, 3))) if row else "H x W x 3"
            raise DamagedFile(f"{path} should hold a picture of {wanted}, found {'x'.join(map(str, values.shape))}")
        scale = 255 if values.dtype == np.uint8 else 1
        return torch.from_numpy(values.transpose(2, 0, 1).astype(np.float32) / scale)

    def _layer(self, row: int, task: str) -> Tensor:
        folder, kind = self._layers[task]
        path, values = self._read(row, folder)
        wanted = (*self._shape, 3) if kind is Kind.NORMALS else tuple(self._shape)
        if kind is not Kind.NORMALS and values.shape == (*wanted, 1):
            values = values[..., 0]
        if values.shape != wanted:
            found = "x".join(map(str, values.shape))
            raise DamagedFile(f"{path} should hold an array of {'x'.join(map(str, wanted))}, found {found}")
        if kind is Kind.CLASSES:
            return torch.from_numpy(_classes(path, values))
        values = values.transpose(2, 0, 1) if kind is Kind.NORMALS else values
        return torch.from_numpy(values.astype(np.float32))

    def _read(self, row: int, folder: str) -> tuple[Path, np.ndarray]:
        path = self._folder / folder / f"{self._rows[row]}.npy"
        try:
            values = np.load(path, allow_pickle=False)
        except FileNotFoundError as error:
            raise DamagedFile(f"no file {path}: unpack the archive again") from error
        except DAMAGE as error:
            raise DamagedFile(f"{path} is damaged, or no .npy file of numbers: unpack the archive again") from error
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
            raise DamagedFile(f"{path} is no .npy file of numbers: unpack the archive again")
        return path, values


def _classes(path: Path, values: np.ndarray) -> np.ndarray:
    """Classes as uint8; those below 0 are unlabelled pixels."""
    known = np.where(values < 0, np.uint8(IGNORED), values)  # wide enough for both types
    with np.errstate(invalid="ignore"):  # what does not fit is found by comparing
        classes = known.astype(np.uint8)
    if (classes != known).any():
        found = known[classes != known][0]
        raise DamagedFile(f"{path} should hold whole numbers up to {IGNORED}, or below 0 for no label, found {found:g}")
    return classes


def load_splits(
    name: str,
    root: Path,
    layers: Layers,
    val: float,
    seed: int,
    augment: bool,
    remedy: str,
    tasks: Sequence[str] | None = None,
) -> Splits:
    """The splits of a data set in this layout.

    Args:
        name: of the data set and its sources.
        root: folder with `train` and `val`, or with such a folder called `name`, or up to two levels above.
        layers: of all tasks.
        val: share of the training rows that validation has to itself, in [0, 1); with 0, as in the papers, validation
            scores are those of training rows.
        seed: of the rows that are held out.
        augment: whether training rows are scaled, cropped and mirrored.
        remedy: where to get the files.
        tasks: whose files are read; None for all of them.

    Raises:
        ConfigError: if `val` is out of range.
        DataError: if a folder is absent.
    """
    share("data.val", val)
    flag("data.augment", augment)
    layers = {task: layer for task, layer in layers.items() if tasks is None or task in tasks}
    root = find_arrays(root, name)
    folders = [IMAGES, *(folder for folder, _ in layers.values())]
    counts = {part: _count(root, part, folders, remedy) for part in ("train", "val")}
    order = torch.randperm(counts["train"], generator=torch.Generator().manual_seed(seed)).tolist()
    held_out = round(val * counts["train"])
    kept = sorted(order[held_out:])
    validation = sorted(order[:held_out]) or kept
    if not kept or (val and not held_out):
        raise ConfigError(f"data.val={val} of {counts['train']} training rows leaves a split empty")

    def source(part: str, rows: Sequence[int], augment: bool = False) -> list[Source]:
        return [PixelArrays(name, root / part, rows, layers, augment)]

    return Splits(
        source("train", kept, augment),
        source("train", validation),
        source("val", range(counts["val"])),
        _statement(root, len(kept), held_out, counts["val"], seed),
    )


def find_arrays(root: Path, name: str) -> Path:
    """The folder of `train` and `val`: the root, the folder `name` in it, or one further down."""
    named = next((folder for folder in (root, root / name) if (folder / "train").is_dir()), None)
    return named or step_down(root, lambda folder: (folder / "train" / IMAGES).is_dir()) or root / name


def _statement(root: Path, train: int, held_out: int, test: int, seed: int) -> str:
    """How the splits were made, in one line."""
    ours = f"{held_out} of it, drawn with data.seed={seed}, for validation" if held_out else "the same for validation"
    note = "" if held_out else " (as the papers, which report the last ten epochs' mean; data.val=0.1 holds rows out)"
    return f"{train} pictures of {root}/train for training, {ours}, {test} of {root}/val for the test{note}"


def _count(root: Path, part: str, folders: Sequence[str], remedy: str) -> int:
    """Rows of a part; DataError unless every kind has as many."""
    numbers = {folder: len([*(root / part / folder).glob("*.npy")]) for folder in folders}
    absent = [f"{part}/{folder}" for folder, number in numbers.items() if not number]
    if absent:
        names = ",".join(folders)
        hint = above(root, lambda folder: (folder / "train" / IMAGES).is_dir())
        raise DataError(
            f"no .npy files in {root}/{absent[0]}{hint}: expected {root}/{{train,val}}/{{{names}}}/N.npy; {remedy}"
        )
    if len({*numbers.values()}) > 1:
        found = ", ".join(f"{number} in {folder}" for folder, number in numbers.items())
        raise DataError(f"{root}/{part} holds different numbers of files: {found}: unpack the archive again")
    return numbers[folders[0]]
