"""The flags of a run, in the order that Hydra can read."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence

from mtlrun.cli.words import OneLineParser
from mtlrun.config.anchors import check_anchors
from mtlrun.config.changes import ENGINE_SETTINGS, OPEN_GROUPS
from mtlrun.config.simplex import quoted
from mtlrun.errors import ConfigError, near_miss
from mtlrun.paths import CONF

_SWITCHES = ("-m/--multirun", "-r/--run", "--resolve", "--hydra-help")
_VALUES = ("-cd/--config-dir", "-p/--package")
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
_CHOICES = {"-c/--cfg": ("job", "hydra", "all"), "-i/--info": _INFO}


def hydra_arguments(words: list[str]) -> list[str]:
    """The words with all flags before all settings.

    Hydra 1.3 refuses a flag that stands between two settings. Its flags that read other main configurations
    or pickles are left out on purpose.

    Raises:
        ConfigError: for a flag that does not exist, or has a wrong value.
    """
    known, settings = _parser().parse_known_intermixed_args(words)
    unknown = [word for word in settings if word.startswith("-")]
    if unknown:
        raise ConfigError(f"no flag '{unknown[0]}'{near_miss(unknown[0], _names()) or '; see mtlrun --help'}")
    for folder in (known.config_dir, os.environ.get("MTLRUN_CONF_DIR")):
        check_anchors(folder)
    flags: list[str] = []
    for name, value in vars(known).items():
        if name != "settings" and value not in (None, False):
            flags += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    return flags + with_force(known.settings)


def with_force(settings: Sequence[str]) -> list[str]:
    """`key={...}` as `++key={...}`, and `group.option.name=...` likewise.

    Hydra would refuse entries that are not there yet: a task's name; the engine's settings beside a balancer of the
    user's own, whose YAML need not state them; settings of a group whose options a sweep goes through, as it looks for
    them in the option that is chosen without these words. A key that does not exist at all is caught by our own checks.
    """
    settings = [*map(quoted, settings)]
    own = any(word.startswith("balancer=") and not _ships(word) for word in settings)
    swept = _swept(settings)

    def absent(word: str) -> bool:
        return bool(_ENTRY.match(word) or (own and _ENGINE.match(word))) or word.startswith(swept)

    return [f"++{word}" if absent(word) else word for word in settings]


def _swept(settings: Sequence[str]) -> tuple[str, ...]:
    """How settings of groups begin that have several options, themselves or by the task sets or experiments."""
    several = {found[1] for word in settings if (found := _SEVERAL.match(word))}
    return tuple(f"{group}." for group in (OPEN_GROUPS if several & {*_CHOOSERS} else several))


def _ships(word: str) -> bool:
    """Whether `balancer=OPTION` names one of ours."""
    return (CONF / "balancer" / f"{word.partition('=')[2]}.yaml").is_file()


_ENTRY = re.compile(rf"\w[\w.]*=\{{|({'|'.join(OPEN_GROUPS)})\.\w+\.[\w.]+=")
_CHOOSERS = ("task", "experiment")  # their options choose those of the open groups
_SEVERAL = re.compile(rf"({'|'.join((*OPEN_GROUPS, *_CHOOSERS))})=.*,")
_ENGINE = re.compile(rf"balancer\.({'|'.join(ENGINE_SETTINGS)})=")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="mtlrun", add_help=False, allow_abbrev=False)
    for switch in _SWITCHES:
        parser.add_argument(*switch.split("/"), action="store_true")
    for flag in _VALUES:
        parser.add_argument(*flag.split("/"))
    for flag, choices in _CHOICES.items():
        parser.add_argument(*flag.split("/"), choices=choices)
    parser.add_argument("settings", nargs="*")
    return parser


def _names() -> list[str]:
    return [name for flag in (*_SWITCHES, *_VALUES, *_CHOICES) for name in flag.split("/")]
