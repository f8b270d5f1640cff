"""YAML files whose anchors would unfold to more than any memory holds: told before anything reads them."""

from __future__ import annotations

import math
from pathlib import Path

from mtlrun.errors import ConfigError
from mtlrun.runs.yamlfile import LARGEST, unfolded_size


def check_anchors(folder: Path | str | None) -> None:
    """Look at all YAML files of a folder of groups; most have no anchor and cost a glance.

    Raises:
        ConfigError: for the first file that unfolds too far.
    """
    for path in sorted(Path(folder).rglob("*.yaml")) if folder is not None else ():
        check_file(path)


def check_file(path: Path) -> None:
    """Raise ConfigError if the file unfolds too far; one that cannot be read, or lies in itself, is left to whoever
    reads it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    if LARGEST < unfolded_size(text) < math.inf:
        raise ConfigError(f"{path}: its anchors (&name, *name) unfold to more than a million entries: write them out")
