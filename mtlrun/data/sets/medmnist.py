"""ChestMNIST of MedMNIST: ChestX-ray14 as one .npz file, in 28, 64, 128 or 224 pixels.

Yang et al., "MedMNIST v2" (2023), https://doi.org/10.1038/s41597-022-01721-8; 78,468 radiographs for training, 11,219
for validation, 22,433 for the test. Like ChestX-ray14 it does not label fractures.
"""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlrun.atomic import complete_file
from mtlrun.data.array_cache import Array
from mtlrun.data.fingerprint import ids_of_texts
from mtlrun.data.readers.image_files import DamagedFile, LazySource, PictureRows, sample_statistics
from mtlrun.data.readers.npz import DAMAGE, open_npz, read_array
from mtlrun.data.readers.plain_files import folder_of
from mtlrun.data.readers.radiograph_labels import counted
from mtlrun.data.source import Source, Splits, TensorSource
from mtlrun.data.statistics import channel_statistics
from mtlrun.errors import ConfigError, DataError, choose

log = logging.getLogger(__name__)

SIZES = (28, 64, 128, 224)
SPLITS = ("train", "val", "test")
FINDINGS = (
    "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax",
    "consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia",
)  # fmt: skip
"""The columns of the labels."""

HOME = "https://zenodo.org/records/10519652"


class StoredPictures(PictureRows):
    """Pictures [N, H, W] in a .npy file, as rows [1, H, W]; the file is mapped and never read as a whole.

    It is opened at each access, so that nothing but its name travels to the workers.

    Raises:
        DataError: if the file cannot be read, or holds anything but pictures of `size` x `size` pixels.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        pictures = self._opened()
        check_pictures(path.name, pictures, size)
        self._count, self.shape = len(pictures), (1, size, size)

    def __len__(self) -> int:
        return self._count

    def row_ids(self) -> Tensor:
        """By the part of the collection and the row in it, which are fixed."""
        part = self.path.name.rpartition("-")[2]
        return ids_of_texts(f"{part} {self.path.stat().st_size} {row}" for row in range(len(self)))

    def read(self, row: int) -> NDArray[np.uint8]:
        return np.array(self._opened()[row])[None]

    def stack(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(self._opened()[rows.numpy()][:, None])

    def _opened(self) -> Array:
        try:
            return np.load(self.path, mmap_mode="r")
        except PermissionError as error:
            raise DamagedFile(f"{self.path} may not be read: let its owner permit it, or change data.cache") from error
        except DAMAGE as error:
            raise DamagedFile(
                f"{self.path} is damaged, or no array of pictures: delete it, and if that does not help fetch the "
                "collection again"
            ) from error


def load(
    root: str | None = None,
    findings: Mapping[str, str] | None = None,
    size: int = 28,
    memory_mb: float = 1000,
    cache: str | None = "~/.cache/mtlrun",
) -> Splits:
    """One task per finding, targets float32 [N, 1]; pictures uint8 [1, size, size]; the official splits.

    Args:
        root: folder of chestmnist.npz (28 pixels), chestmnist_64.npz, chestmnist_128.npz or chestmnist_224.npz.
        findings: per task the name of its finding in FINDINGS.
        size: height and width of the pictures.
        memory_mb: pictures that take more megabytes are unpacked once into the cache and read from there.
        cache: folder for that (subfolder medmnist).

    Raises:
        ConfigError: if an option is missing or out of range.
        DataError: if the file is missing or malformed.
    """
    folder, findings = folder_of(root, "the folder of chestmnist.npz"), findings or {}
    choose(str(size), map(str, SIZES), "data.size")
    columns = {task: FINDINGS.index(choose(name, FINDINGS, f"data.findings.{task}")) for task, name in findings.items()}
    path = folder / ("chestmnist.npz" if size == 28 else f"chestmnist_{size}.npz")
    if not path.is_file():
        raise DataError(f"no {path}: fetch {path.name} from {HOME} into {folder}, or set data.root to where it is")
    targets = {split: read_targets(path, split, columns) for split in SPLITS}
    made = in_memory(path, targets, size) if fits(path, memory_mb) else on_disk(path, targets, size, cache)
    sizes = "/".join(str(len(source)) for source in made.values())
    known = counted({task: made["train"].labelled(task) for task in columns})
    return Splits(
        [made["train"]],
        [made["val"]],
        [made["test"]],
        f"{sizes} radiographs of {path.name} for train/val/test, the official split; training labels of {known}",
    )


def read_targets(path: Path, split: str, columns: Mapping[str, int]) -> dict[str, Tensor]:
    """Per task float32 [N, 1] of 0 and 1."""
    labels = member(path, f"{split}_labels")
    if labels.ndim != 2 or labels.shape[1] != len(FINDINGS):
        raise DataError(f"{split}_labels of {path} should be [N, {len(FINDINGS)}], found {list(labels.shape)}")
    return {task: torch.from_numpy(labels[:, [column]].astype(np.float32)) for task, column in columns.items()}


def member(path: Path, name: str) -> Array:
    """One array of the file."""
    with open_npz(path) as archive:
        if name not in archive.files:
            raise DataError(f"{path} has no array '{name}': it is not of MedMNIST")
        return read_array(path, archive, name)


def fits(path: Path, memory_mb: float) -> bool:
    """Whether all of the file's arrays together stay within so many megabytes."""
    with open_npz(path), zipfile.ZipFile(path) as archive:
        return bool(sum(info.file_size for info in archive.infolist()) <= memory_mb * 1e6)


def check_pictures(name: str, pictures: Array, size: int) -> None:
    """Raise DataError unless the array holds pictures of `size` x `size` pixels."""
    if pictures.dtype != np.uint8 or pictures.ndim != 3 or pictures.shape[1:] != (size, size):
        found = f"{pictures.dtype} {list(pictures.shape)}"
        raise DataError(f"{name} should be uint8 [N, {size}, {size}], found {found}: fetch the file again")


def in_memory(path: Path, targets: Mapping[str, dict[str, Tensor]], size: int) -> dict[str, Source]:
    """One source per split, read at once."""
    arrays = {split: member(path, f"{split}_images") for split in SPLITS}
    for split, pictures in arrays.items():
        check_pictures(f"{split}_images of {path}", pictures, size)
    images = {split: torch.from_numpy(pictures).unsqueeze(1) for split, pictures in arrays.items()}
    mean, std = channel_statistics(images["train"])
    return {split: TensorSource("chestmnist", images[split], targets[split], mean=mean, std=std) for split in SPLITS}


def on_disk(path: Path, targets: Mapping[str, dict[str, Tensor]], size: int, cache: str | None) -> dict[str, Source]:
    """One source per split, read row by row from files that are unpacked once.

    Raises:
        ConfigError: if there is no cache.
    """
    if not cache:
        raise ConfigError(f"{path} is larger than data.memory_mb: raise it, or set data.cache to a folder")
    folder = Path(cache).expanduser() / "medmnist"
    pictures = {split: stored(path, f"{split}_images.npy", folder, size) for split in SPLITS}
    mean, std = sample_statistics(pictures["train"])
    return {split: LazySource("chestmnist", pictures[split], targets[split], None, mean, std) for split in SPLITS}


def stored(path: Path, name: str, folder: Path, size: int) -> StoredPictures:
    """The pictures of a member of the file, unpacked again if what is in the folder is damaged."""
    cached = unpacked(path, name, folder)
    try:
        return StoredPictures(cached, size)
    except DataError as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        log.warning("cache file %s is damaged: making it again", cached)
        cached.unlink(missing_ok=True)
        return StoredPictures(unpacked(path, name, folder), size)


def unpacked(path: Path, name: str, folder: Path) -> Path:
    """A member of the file, unpacked into the folder if it is not there; it appears only when it is complete."""
    stamp = path.stat()
    cached = folder / f"{path.stem}-{stamp.st_size}-{int(stamp.st_mtime)}-{name}"
    try:
        if not cached.is_file():
            with complete_file(cached) as file, zipfile.ZipFile(path) as archive, archive.open(name) as packed:
                shutil.copyfileobj(packed, file, 1 << 20)
    except (*DAMAGE, KeyError) as error:
        raise DataError(f"{name} of {path} could not be unpacked into {folder}: {error}") from error
    return cached
