"""Pictures in files, decoded when their rows are asked for: a data set need not fit in memory."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from mtlrun.data.fingerprint import ids_of_files, ids_of_rows
from mtlrun.data.source import Normalisation, Source, TensorSource
from mtlrun.data.statistics import channel_statistics
from mtlrun.errors import DataError

Size = tuple[int, int]
"""Height and width in pixels."""

SAMPLE = 256
"""Rows that stand for all where reading all would take long: statistics of pictures, checks of masks."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp", ".tif", ".tiff", ".gif")
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


class DamagedFile(DataError):
    """A file that cannot be decoded.

    Workers of a DataLoader wrap an error's line into their traceback and raise it anew; only the line is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition("DamagedFile: ")[2].strip())


class PictureRows(ABC):
    """Something that is read row by row: uint8 or float32 arrays of one shape."""

    shape: tuple[int, ...]

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def read(self, row: int) -> NDArray[np.generic]:
        """The array of a row."""

    def row_ids(self) -> Tensor:
        """A number for each row, see `Source.row_ids`: here by what is read, in files by their names and sizes."""
        return torch.cat([ids_of_rows(self.stack(torch.tensor([row]))) for row in range(len(self))])

    def stack(self, rows: Tensor) -> Tensor:
        """The arrays of the rows [B], as [B, ...]."""
        if not len(rows):
            return torch.from_numpy(self.read(0)[None][:0])
        return torch.from_numpy(np.stack([self.read(row) for row in rows.tolist()]))


class Pictures(PictureRows):
    """Picture files, each stretched to one size: uint8 [C, H, W].

    JPEG files of at least twice the size are decoded at a half, a quarter or an eighth of theirs, and stretched from
    there: several times faster, and about one grey level off what decoding in full gives, in the mean.

    Args:
        paths: of the files.
        size: of the rows.
        channels: 1 for grey, 3 for red, green and blue.
        boxes: per file the part to cut out (left, top, right, bottom), in pixels of the file; None for all of it.
    """

    def __init__(
        self,
        paths: Sequence[Path | str],
        size: Size,
        channels: int = 3,
        boxes: Sequence[tuple[int, int, int, int]] | None = None,
    ) -> None:
        self.paths, self.size, self.boxes = [str(path) for path in paths], size, boxes
        self.shape = (channels, *size)

    def __len__(self) -> int:
        return len(self.paths)

    def row_ids(self) -> Tensor:
        return ids_of_files(self.paths)

    def read(self, row: int) -> NDArray[np.uint8]:
        path = self.paths[row]
        try:
            with Image.open(path) as file:
                return self._fitted(file, None if self.boxes is None else self.boxes[row])
        except UNREADABLE as error:
            raise unreadable(path, error) from error

    def _fitted(self, file: Image.Image, box: tuple[int, int, int, int] | None) -> NDArray[np.uint8]:
        height, width = self.size
        mode = "L" if self.shape[0] == 1 else "RGB"
        if box is None:
            file.draft(mode, (width, height))  # JPEG: decode at a half, a quarter or an eighth where that is enough
        picture = eight_bits(ImageOps.exif_transpose(file)).convert(mode)
        small = picture.resize((width, height), Image.Resampling.BILINEAR, box)
        values = np.asarray(small)
        return np.ascontiguousarray(values[None] if values.ndim == 2 else values.transpose(2, 0, 1))


class LazySource(Source):
    """A source whose rows are read when they are asked for, by `trainer.workers` processes in training.

    Args:
        name: unique among the sources of a split.
        pictures: the inputs.
        targets: per task a tensor [N, ...], or what is read row by row.
        labelled: per task bool [N]; a task that is not named here is labelled on every row.
        mean, std: per channel, applied after the division by 255.

    Raises:
        DataError: if the numbers of rows differ.
    """

    def __init__(
        self,
        name: str,
        pictures: PictureRows,
        targets: Mapping[str, Tensor | PictureRows],
        labelled: Mapping[str, Tensor] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        self.name, self.tasks, self.input_shape = name, tuple(targets), pictures.shape
        self._pictures, self._targets, self._labelled = pictures, dict(targets), dict(labelled or {})
        self._mean, self._std = mean, std
        for task, values in [*self._targets.items(), *self._labelled.items()]:
            if len(values) != len(pictures):
                raise DataError(f"source '{name}' has {len(pictures)} pictures but {len(values)} labels for '{task}'")
        # One place knows how pictures are normalised.
        empty = torch.empty((0, *pictures.shape), dtype=torch.uint8)
        self._normalise = TensorSource(name, empty, {}, mean=mean, std=std)

    def __len__(self) -> int:
        return len(self._pictures)

    def labelled(self, task: str) -> Tensor:
        mask = self._labelled.get(task)
        return torch.ones(len(self), dtype=torch.bool) if mask is None else mask

    def fetch(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        rows = rows.cpu()
        return self._pictures.stack(rows), {task: _taken(values, rows) for task, values in self._targets.items()}

    def prepare(self, inputs: Tensor) -> Tensor:
        return self._normalise.prepare(inputs)

    def normalisation(self) -> Normalisation:
        return self._normalise.normalisation()

    def targets(self, task: str) -> Tensor:
        """All labelled targets [n, ...]; of those that are read row by row a sample."""
        rows, values = self.labelled(task).nonzero().squeeze(1), self._targets[task]
        return _taken(values, rows if isinstance(values, Tensor) else spread(rows))

    def row_ids(self) -> Tensor:
        return self._pictures.row_ids()

    def label_ids(self, task: str) -> Tensor:
        return values.row_ids() if isinstance(values := self._targets[task], PictureRows) else self.targets(task)

    def nbytes(self) -> int:
        """Bytes of the pictures and targets, once they are read."""
        shapes = [values.shape for values in self._targets.values() if isinstance(values, PictureRows)]
        read = len(self) * sum(math.prod(shape) for shape in (self.input_shape, *shapes))
        return read + sum(values.nbytes for values in self._targets.values() if isinstance(values, Tensor))

    def in_ram(self) -> TensorSource:
        """The same rows, read at once."""
        inputs, targets = self.fetch(torch.arange(len(self)))
        files = {task: values.row_ids() for task, values in self._targets.items() if isinstance(values, PictureRows)}
        return TensorSource(
            self.name, inputs, targets, self._labelled, self._mean, self._std, self.row_ids(), label_ids=files
        )


def kept(sources: Sequence[LazySource], memory_mb: float) -> list[Source]:
    """The same sources in memory if they take at most so many megabytes together; otherwise as they are.

    All or none: workers that read files cannot also gather tensors that lie on an accelerator.
    """
    if sum(source.nbytes() for source in sources) > memory_mb * 1e6:
        return list(sources)
    return [source.in_ram() for source in sources]


def _taken(values: Tensor | PictureRows, rows: Tensor) -> Tensor:
    return values.index_select(0, rows) if isinstance(values, Tensor) else values.stack(rows)


def spread(rows: Tensor, most: int = SAMPLE) -> Tensor:
    """At most so many of the rows, at even distances."""
    return rows if len(rows) <= most else rows[torch.arange(most) * len(rows) // most]


def sample_statistics(pictures: PictureRows) -> tuple[list[float], list[float]]:
    """Mean and deviation per channel, from a sample of the pictures."""
    return channel_statistics(pictures.stack(spread(torch.arange(len(pictures)))))


def eight_bits(picture: Image.Image) -> Image.Image:
    """Pictures of 16 bits per pixel with the upper eight alone; Pillow would cut them off at 255."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))


def unreadable(path: str, error: BaseException) -> DataError:
    """What to tell a user about a file that is not there, or damaged."""
    if isinstance(error, FileNotFoundError):
        return DamagedFile(f"no picture {path}: it was there when the run started, or its list names it")
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DamagedFile(f"{path} is damaged, or no picture ({why}): fetch it again, or take it out of the data")
