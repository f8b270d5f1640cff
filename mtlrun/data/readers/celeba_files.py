"""The files of CelebA: tables of attributes and splits, and a folder of pictures, in three layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.readers.folders import above, step_down
from mtlrun.data.readers.plain_files import read_csv
from mtlrun.errors import DataError

HOME = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
PICTURES, ATTRIBUTES, PARTITION = "img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"

PLACES = {
    PICTURES: (PICTURES, f"Img/{PICTURES}"),
    ATTRIBUTES: (ATTRIBUTES, f"Anno/{ATTRIBUTES}", "list_attr_celeba.csv"),
    PARTITION: (PARTITION, f"Eval/{PARTITION}", "list_eval_partition.csv"),
}
"""As torchvision lays them, as on the authors' drive, and Kaggle's tables."""


@dataclass(frozen=True)
class FaceFiles:
    """The folder of the pictures, and the two tables."""

    pictures: Path
    attributes: Path
    partition: Path


def find_faces(root: Path) -> FaceFiles:
    """The files in one folder (torchvision), in Anno/, Eval/ and Img/ (the authors), or as .csv (Kaggle).

    The root may lie up to two levels above; the pictures may lie in a folder of the same name once more.

    Raises:
        DataError: if something is not there; the line says what was looked for, and where to get it.
    """
    folder = step_down(root, lambda folder: any(map(_has(folder), (PICTURES, ATTRIBUTES)))) or root / "celeba"
    found = {name: _first(folder, name) for name in PLACES}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        hint = above(root, lambda folder: all(map(_has(folder), PLACES)))
        raise DataError(
            f"no {', '.join(missing)} in {folder}{hint or _packed(folder)}: expected {PICTURES}/000001.jpg, ..., "
            f"{ATTRIBUTES} and {PARTITION} (also in Img/, Anno/ and Eval/ of the authors, or as .csv of Kaggle), from "
            f"{HOME} or torchvision.datasets.CelebA('{root}', download=True)"
        )
    pictures, attributes, partition = (folder / str(path) for path in found.values())
    inner = pictures / PICTURES
    return FaceFiles(inner if inner.is_dir() else pictures, attributes, partition)


def check_first(pictures: Path, name: str) -> None:
    """Raise DataError if the first picture of the table is not there."""
    if (pictures / name).is_file():
        return
    others = {path.suffix for path in pictures.glob("*")} - {""}
    found = f"there are files {', '.join(sorted(others))}" if others else "the folder is empty"
    raise DataError(
        f"no picture {name} in {pictures} ({found}): unpack img_align_celeba.zip, which has the aligned pictures as "
        f".jpg, from {HOME}"
    )


def read_attributes(path: Path) -> tuple[list[str], list[str], Tensor]:
    """(names of the attributes [A], names of the picture files [N], answers float32 [N, A]: 1 yes, 0 no).

    The file: a line with N, a line with the names, and per picture its file and A times -1 or 1; or Kaggle's .csv.

    Raises:
        DataError: if the file is malformed.
    """
    if path.suffix == ".csv":
        rows = read_csv(path, ("image_id",))
        names = [name for name in rows[0] if name != "image_id"]
        return names, [row["image_id"] for row in rows], _answers(path, [[row[name] for name in names] for row in rows])
    lines = _lines(path)
    names = lines[1].split() if len(lines) > 1 else []
    entries = [line.split() for line in lines[2:] if line.strip()]
    wrong = next((index for index, entry in enumerate(entries, 3) if len(entry) != len(names) + 1), None)
    if wrong is not None or not entries or not names:
        raise DataError(f"{path}, line {wrong or len(lines)}: expected a file and {len(names)} numbers: fetch it again")
    if lines[0].strip() != str(len(entries)):
        raise DataError(f"{path} lists {len(entries)} pictures, and should have {lines[0].strip()}: fetch it again")
    return names, [entry[0] for entry in entries], _answers(path, [entry[1:] for entry in entries])


def _answers(path: Path, entries: Sequence[Sequence[str]]) -> Tensor:
    values = np.array(entries)
    if not np.isin(values, ("1", "-1")).all():
        raise DataError(f"{path} should hold nothing but -1 and 1 after the names of the pictures: fetch it again")
    return torch.from_numpy((values == "1").astype(np.float32))


def read_partition(path: Path, files: Sequence[str]) -> Tensor:
    """Per picture its part, 0 train, 1 val, 2 test: int64 [N].

    Raises:
        DataError: if the file is malformed, or lacks a picture.
    """
    if path.suffix == ".csv":
        parts = {row["image_id"]: row["partition"] for row in read_csv(path, ("image_id", "partition"))}
    else:
        parts = {entry[0]: entry[1] for line in _lines(path) if len(entry := line.split()) == 2}
    lacking = next((name for name in files if parts.get(name) not in ("0", "1", "2")), None)
    if lacking is not None:
        raise DataError(f"{path} gives no part 0, 1 or 2 for {lacking}: fetch it again")
    return torch.tensor([int(parts[name]) for name in files])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no readable text file: fetch it again") from error


def _first(folder: Path, name: str) -> str | None:
    """Where the folder has it."""
    return next((place for place in PLACES[name] if (folder / place).exists()), None)


def _has(folder: Path) -> Callable[[str], bool]:
    return lambda name: _first(folder, name) is not None


def _packed(folder: Path) -> str:
    """Words for the message if the archive is there, but not unpacked."""
    places = (folder / "Img/img_align_celeba.zip", folder / "img_align_celeba.zip")
    there = next((path for path in places if path.is_file()), None)
    return "" if there is None else f" (unpack {there})"
