"""The folder of the user's own groups, as verbs other than a run are given it."""

from __future__ import annotations

import os
from pathlib import Path

from mtlrun.config.anchors import check_anchors
from mtlrun.config.words import quoted_text
from mtlrun.errors import ConfigError


def split_config_dir(arguments: list[str]) -> tuple[str | None, list[str]]:
    """(the folder given with --config-dir, the other words).

    Raises:
        ConfigError: if there is no such folder.
    """
    words = [part for word in arguments for part in _split_flag(word)]
    flag = next((word for word in words if word in ("--config-dir", "-cd")), None)
    check_anchors(os.environ.get("MTLRUN_CONF_DIR"))
    if flag is None:
        return None, words
    at = words.index(flag)
    if len(words) == at + 1 or not Path(words[at + 1]).is_dir():
        raise ConfigError(f"{' '.join(words[at : at + 2])}: no such folder")
    check_anchors(words[at + 1])
    return words[at + 1], words[:at] + words[at + 2 :]


def search_path(folder: str | None) -> list[str]:
    """The folder as a setting, behind what config.yaml says: shipped options win, as with a run's --config-dir."""
    if folder is None:
        return []
    for_good = os.environ.get("MTLRUN_CONF_DIR", "pkg://hydra.conf")  # the command line cannot interpolate here
    searched = (for_good, f"file://{Path(folder).resolve()}")
    return [f"hydra.searchpath=[{','.join(map(quoted_text, searched))}]"]


def _split_flag(word: str) -> list[str]:
    return word.split("=", 1) if word.startswith("--config-dir=") else [word]
