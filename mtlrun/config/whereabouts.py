"""Files and modules that a run named from the folder where it was started, for commands in other ones. No torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mtlrun.errors import ConfigError
from mtlrun.runs.reader import OWN_DATA
from mtlrun.runs.yamlfile import read_yaml

_GROUPS = ("data", "backbone")
_PLACES = ("path", "root", "folder", "weights", "splits", "tokenizer", "cache", "ner", "pos", "sentiment", "qa")
"""Last words of the options that name a file or folder and can mean nothing else, in parts of ours."""
_WORDS = (*_PLACES, "file", "table", "masks", "boxes")
"""Those that may name one too: or a column, or a file in the folder of the pictures, or such names by task."""


def started_in(run: Path) -> Path | None:
    """The current folder of the command that started the run; None if that is not known."""
    content: Any = read_yaml(run / ".hydra" / "hydra.yaml")
    for name in ("hydra", "runtime", "cwd"):
        content = content.get(name) if isinstance(content, dict) else None
    return Path(content) if isinstance(content, str) else None


def look_in(folder: Path | None) -> None:
    """Find users' modules in the folder too, after all others: an installed script does not look there by itself."""
    if folder is not None and str(folder) not in sys.path:
        sys.path.append(str(folder))


def check_paths(config: DictConfig) -> None:
    """Refuse a value that can be the name of no file, for the data sets of ours.

    Raises:
        ConfigError: for the first one.
    """
    data = config.data
    for key in data if str(data.get("_target_")).startswith("mtlrun.") else ():
        if str(key).rpartition("_")[2] not in ("path", "root") or OmegaConf.is_interpolation(data, key):
            continue
        value = data[key]
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise ConfigError(f"data.{key}={value}: must be the name of a file or folder, or null")


def find_own_data(config: DictConfig, run: Path) -> None:
    """Have a run read the data that lie in its folder, wherever the folder is now."""
    path = config.data.get("path")
    if isinstance(path, str) and Path(path).name == OWN_DATA and (run / OWN_DATA).is_file():
        config.data.path = str(run.resolve() / OWN_DATA)


def find_files(config: DictConfig, start: Path) -> None:
    """Make paths of data, weights and the reference absolute that are there from `start`; and those of parts of ours
    that are neither there nor here, so that what says so names the folder. Others stay as they are."""
    if start == Path.cwd():
        return
    for group in _GROUPS:
        ours = str(config[group].get("_target_")).startswith("mtlrun.")
        for key, value in _texts(OmegaConf.to_container(config[group], resolve=False), group):
            if _is_path(key, value) and ((start / value).exists() or (ours and _is_nowhere(key, value))):
                OmegaConf.update(config, key, os.path.abspath(start / value))
    reference = config.trainer.get("reference")
    if isinstance(reference, str) and not os.path.isabs(reference) and (start / reference).exists():
        config.trainer.reference = os.path.abspath(start / reference)


def _is_path(key: str, value: str) -> bool:
    """Whether the text names a file from the current folder; 'train' may be a word and the name of a folder, too."""
    if "${" in value or os.path.isabs(value) or value.startswith("~") or not value.strip():
        return False
    return "/" in value or any(_last_word(part) in _WORDS for part in key.split("."))


def _is_nowhere(key: str, value: str) -> bool:
    """Whether the text can but name a file or folder, and none is here; data from Python lie in the run's folder."""
    return _last_word(key) in _PLACES and value != OWN_DATA and not Path(value).exists()


def _last_word(key: str) -> str:
    return key.rpartition(".")[2].rpartition("_")[2]


def _texts(node: Any, key: str) -> list[tuple[str, str]]:
    """Dotted key and value of all texts in groups; those in lists are left out."""
    if isinstance(node, dict):
        inside = [(name, value) for name, value in node.items() if name != "_target_"]
        return [found for name, value in inside for found in _texts(value, f"{key}.{name}")]
    return [(key, node)] if isinstance(node, str) else []
