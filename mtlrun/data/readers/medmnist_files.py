"""The files of MedMNIST: one .npz a set, with pictures and labels of the official splits.

Yang et al., "MedMNIST v2" (2023), https://doi.org/10.1038/s41597-022-01721-8.
"""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlrun.atomic import complete_file
from mtlrun.data.array_cache import Array
from mtlrun.data.fingerprint import ids_of_texts
from mtlrun.data.readers.folders import above, step_down
from mtlrun.data.readers.image_files import DamagedFile, LazySource, PictureRows, sample_statistics
from mtlrun.data.readers.npz import DAMAGE, open_npz, read_array
from mtlrun.data.source import Source, TensorSource
from mtlrun.data.split_sizes import SPLITS
from mtlrun.data.statistics import channel_statistics
from mtlrun.errors import ConfigError, DataError

log = logging.getLogger(__name__)

SIZES = (28, 64, 128, 224)
HOME = "https://zenodo.org/records/10519652"


@dataclass(frozen=True)
class PictureForm:
    """size: height and width in pixels; channels: of the file; rows: of the rows, which may be copies of one."""

    size: int
    channels: int
    rows: int


def channels_first(pictures: Tensor, channels: int) -> Tensor:
    """[N, H, W] or [N, H, W, 3] as [N, channels, H, W]; grey is repeated."""
    if pictures.dim() == 4:
        return pictures.permute(0, 3, 1, 2)
    return pictures.unsqueeze(1).expand(-1, channels, -1, -1)


def find_set(folder: Path, name: str, size: int) -> Path:
    """The file of a set, in the folder or up to two levels below.

    Raises:
        DataError: if it is not there; the line says what is.
    """
    file = file_name(name, size)
    found = step_down(folder, lambda inner: (inner / file).is_file())
    if found is None:
        other = next((number for number in SIZES if (folder / file_name(name, number)).is_file()), None)
        hint = above(folder, lambda inner: (inner / file).is_file())
        hint += f" (there is {file_name(name, other)}: set data.size={other})" if other else ""
        raise DataError(
            f"no {folder / file}{hint}: fetch {file} from {HOME} into {folder}, or set data.root to where it is"
        )
    return found / file


def file_name(name: str, size: int) -> str:
    """The file of a set: chestmnist.npz has 28 pixels, chestmnist_64.npz 64."""
    return f"{name}.npz" if size == SIZES[0] else f"{name}_{size}.npz"


class StoredPictures(PictureRows):
    """Pictures [N, H, W] or [N, H, W, 3] in a .npy file, as rows [C, H, W]; it is mapped and never read as a whole.

    It is opened at each access, so that nothing but its name travels to the workers.

    Raises:
        DataError: if the file cannot be read, or holds anything but pictures of `form`.
    """

    def __init__(self, path: Path, form: PictureForm) -> None:
        self.path, self._form = path, form
        pictures = self._opened()
        check_pictures(path.name, pictures, form)
        self._count, self.shape = len(pictures), (form.rows, form.size, form.size)

    def __len__(self) -> int:
        return self._count

    def row_ids(self) -> Tensor:
        """By the part of the collection and the row in it, which are fixed."""
        part = self.path.name.rpartition("-")[2]
        return ids_of_texts(f"{part} {self.path.stat().st_size} {row}" for row in range(len(self)))

    def read(self, row: int) -> NDArray[np.uint8]:
        return self.stack(torch.tensor([row]))[0].numpy()

    def stack(self, rows: Tensor) -> Tensor:
        return channels_first(torch.from_numpy(self._opened()[rows.numpy()]), self._form.rows).contiguous()

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


def check_pictures(name: str, pictures: Array, form: PictureForm) -> None:
    """Raise DataError unless the array holds pictures of the form."""
    wanted = (form.size, form.size, *([3] if form.channels == 3 else []))
    if pictures.dtype != np.uint8 or pictures.shape[1:] != wanted:
        found = f"{pictures.dtype} {list(pictures.shape)}"
        shape = ", ".join(map(str, wanted))
        raise DataError(f"{name} should be uint8 [N, {shape}], found {found}: fetch the file again")


def sources_of(
    path: Path,
    name: str,
    targets: Mapping[str, dict[str, Tensor]],
    form: PictureForm,
    memory_mb: float,
    cache: str | None,
) -> dict[str, Source]:
    """One source per split, called as the set.

    Args:
        path: of the file.
        name: of the set.
        targets: by split, then by task.
        form: of its pictures.
        memory_mb: what takes more megabytes is unpacked once into the cache and read from there.
        cache: folder for that (subfolder medmnist).

    Raises:
        ConfigError: if the cache is needed and not named.
        DataError: if the pictures are malformed.
    """
    if fits(path, memory_mb):
        return in_memory(path, name, targets, form)
    return on_disk(path, name, targets, form, cache)


def in_memory(path: Path, name: str, targets: Mapping[str, dict[str, Tensor]], form: PictureForm) -> dict[str, Source]:
    """One source per split, read at once."""
    arrays = {split: member(path, f"{split}_images") for split in SPLITS}
    for split, pictures in arrays.items():
        check_pictures(f"{split}_images of {path}", pictures, form)
    images = {split: channels_first(torch.from_numpy(pictures), form.rows) for split, pictures in arrays.items()}
    mean, std = channel_statistics(images["train"])
    return {split: TensorSource(name, images[split], targets[split], mean=mean, std=std) for split in SPLITS}


def on_disk(
    path: Path, name: str, targets: Mapping[str, dict[str, Tensor]], form: PictureForm, cache: str | None
) -> dict[str, Source]:
    """One source per split, read row by row from files that are unpacked once.

    Raises:
        ConfigError: if there is no cache.
    """
    if not cache:
        raise ConfigError(f"{path} is larger than data.memory_mb: raise it, or set data.cache to a folder")
    folder = Path(cache).expanduser() / "medmnist"
    pictures = {split: stored(path, f"{split}_images.npy", folder, form) for split in SPLITS}
    mean, std = sample_statistics(pictures["train"])
    return {split: LazySource(name, pictures[split], targets[split], None, mean, std) for split in SPLITS}


def stored(path: Path, name: str, folder: Path, form: PictureForm) -> StoredPictures:
    """The pictures of a member of the file, unpacked again if what is in the folder is damaged."""
    cached = unpacked(path, name, folder)
    try:
        return StoredPictures(cached, form)
    except DataError as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        log.warning("cache file %s is damaged: making it again", cached)
        cached.unlink(missing_ok=True)
        return StoredPictures(unpacked(path, name, folder), form)


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
