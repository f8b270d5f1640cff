"""Flags and settings of verbs: what is none of a verb's is refused before it starts; a parser for verbs that take many,
and functions that each take one out of the words."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NoReturn

from mtlrun.errors import ConfigError, near_miss

_FLAG = re.compile(r"--?[A-Za-z]")
_SETTING = re.compile(r"[+~]*\w[\w./]*=")


class OneLineParser(argparse.ArgumentParser):
    """argparse, whose mistakes are one line: its own, and `epilog`, if any, behind it."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print under a page of usage."""
        raise ConfigError("; ".join(filter(None, (message, self.epilog))))


def refuse_flags(verb: str, words: Sequence[str], known: Collection[str]) -> None:
    """Raise ConfigError for a flag that the verb does not know: it would be taken for a file, or a run.

    Args:
        verb: that the words follow.
        words: as they were typed.
        known: its flags, such as those that its page of help names.
    """
    flags = (word.partition("=")[0] for word in words if _FLAG.match(word))
    wrong = next((flag for flag in flags if flag not in known), None)
    if wrong is not None:
        raise ConfigError(f"no flag '{wrong}'{near_miss(wrong, known) or f'; see mtlrun help {verb}'}")


def refuse_settings(words: Sequence[str], known: Collection[str], usage: str) -> None:
    """Raise ConfigError for a `key=value` among files and folders that the verb does not know, unless it is a file."""
    wrong = next((word for word in words if _SETTING.match(word) and not Path(word).expanduser().exists()), None)
    if wrong is not None:
        key = wrong.partition("=")[0]
        twice = " twice" if key in known else ""
        raise ConfigError(f"no setting '{key}'{twice}{'' if twice else near_miss(key, known)}: {usage}")


def taken_flag(words: list[str], flag: str, usage: str) -> str | None:
    """The value of `--flag VALUE` or `--flag=VALUE`; None if it is not there.

    Raises:
        ConfigError: if there is no value, or the flag is given twice.
    """
    found: list[str] = []
    while (at := next((at for at, word in enumerate(words) if word.partition("=")[0] == flag), None)) is not None:
        word = words.pop(at)
        if "=" not in word and (len(words) == at or _FLAG.match(words[at])):
            raise ConfigError(f"{flag} needs a value: {usage}")
        found.append(word.partition("=")[2] if "=" in word else words.pop(at))
        if not found[-1]:  # as of a variable of the shell that is not set
            raise ConfigError(f"{flag} needs a value: {usage}")
    if len(found) > 1:
        raise ConfigError(f"{flag} is given twice: {usage}")
    return found[0] if found else None


def taken_switch(words: list[str], flag: str) -> bool:
    """Whether the flag is there."""
    there = flag in words
    words[:] = [word for word in words if word != flag]
    return there


def taken_setting(words: list[str], name: str, default: str) -> str:
    """The value of `name=VALUE`."""
    found = [word for word in words if word.startswith(f"{name}=")]
    words[:] = [word for word in words if word not in found]
    return found[-1].partition("=")[2] if found else default


def taken_tasks(words: list[str]) -> list[str] | None:
    """The names in `tasks=[a,b]`; None for all, which is to say nothing.

    Raises:
        ConfigError: if it names none.
    """
    given = any(word.startswith("tasks=") for word in words)
    value = taken_setting(words, "tasks", "")
    names = [name.strip() for name in value.strip("[]").split(",") if name.strip()]
    if given and not names:
        raise ConfigError(f"tasks={value} names no task: leave it out for all")
    return names or None
