"""The groups of the configuration tree, read off the folders alone: no Hydra, so that help is instant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mtlrun.paths import CONF

Groups = dict[str, dict[str, str]]
"""group -> option -> what its first comment line says"""

_UNLISTED = ("gradients", "hydra/launcher", "hydra/sweeper")
_INCLUDED = re.compile(r"^ *(?:defaults: *\[|- *)/([\w/]+)@_here_: *(\w+)", re.MULTILINE)


def groups(config_dir: str | None = None) -> Groups:
    """Every group that can be chosen, with its options: shipped ones first, then the user's own.

    Args:
        config_dir: a folder of the user's, as --config-dir names it; $MTLRUN_CONF_DIR is always looked at.
    """
    found = {group: _options(CONF / group) for group in shipped_groups()}
    for folder in filter(None, (config_dir, os.environ.get("MTLRUN_CONF_DIR"))):
        for group in sorted(path for path in Path(folder).glob("*/") if path.name not in ("hydra", "gradients")):
            # A shipped option wins over a user's of the same name, as it does in Hydra.
            found[group.name] = {**_options(group), **found.get(group.name, {})}
    return {group: options for group, options in found.items() if options}


def option_file(group: str, option: str, config_dir: str | None = None) -> Path:
    """The YAML file of an option that `groups` has found: a shipped one, or else the user's own."""
    folders = (CONF, *map(Path, filter(None, (config_dir, os.environ.get("MTLRUN_CONF_DIR")))))
    return next(path for folder in folders if (path := folder / group / f"{option}.yaml").is_file())


def unlisted_groups() -> Groups:
    """Groups that no run has to choose from: parts of other options, and those of Hydra that we have options for."""
    return {group: _options(CONF / group) for group in _UNLISTED}


def included(text: str) -> Iterator[tuple[str, str]]:
    """(group, option) of each file whose settings the YAML takes in beside its own: `/gradients@_here_: default`."""
    return ((found.group(1), found.group(2)) for found in _INCLUDED.finditer(text))


def shipped_groups() -> list[str]:
    """The groups of the defaults list of config.yaml, in its order but for `task`, which comes first."""
    lines = (CONF / "config.yaml").read_text(encoding="utf-8").splitlines()
    entries = [line.strip("- ").partition(":") for line in lines if line.startswith("  - ")]
    names = [group for group, colon, _ in entries if colon and " " not in group]
    return sorted(names, key=lambda name: name != "task")  # what most commands begin with


def _options(folder: Path) -> dict[str, str]:
    """By name; of files in folders inside, such as experiment/cagrad/toy.yaml, with the folder's name."""
    files = sorted(folder.glob("*.yaml")) + sorted(folder.glob("*/*.yaml"))
    return {path.relative_to(folder).with_suffix("").as_posix(): _first_comment(path) for path in files}


def _first_comment(path: Path) -> str:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("#") and not line.startswith("# @package"):
            return line.lstrip("# ").strip()
    return ""
