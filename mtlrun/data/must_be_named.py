"""Data that are nowhere until the user says where; free of torch, so that a command without them is told at once."""

from __future__ import annotations

from pathlib import Path

from mtlrun.errors import ConfigError

WHERE = {
    "arrays": ("path", "which file to train on", "FILE.npz, FILE.csv or FOLDER"),
    "bdd100k": ("root", "where the folder of BDD100K is", "FOLDER"),
    "chestxray14": ("root", "where the folder of ChestX-ray14 is", "FOLDER"),
    "chexpert": ("root", "where the folder of CheXpert is", "FOLDER"),
    "image_folders": ("root", "where the folder is that holds one folder of pictures for each kind of thing", "FOLDER"),
    "pictures": ("path", "where your pictures are", "FOLDER"),
    "texts": ("path", "which file to train on", "FILE.csv"),
    "medmnist": ("root", "where the folder of chestmnist.npz is", "FOLDER"),
}
"""Set -> (option of its place, what it says, what may stand there)."""


def named_path(source: str, place: str | None) -> Path:
    """The place of a set's data.

    Raises:
        ConfigError: if none is named.
    """
    if not place:
        option, what, value = WHERE[source]
        raise ConfigError(f"data.{option} is not set: say {what} with data.{option}={value}")
    return Path(place).expanduser()
