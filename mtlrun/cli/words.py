"""Flags and settings of verbs: a parser for those that take many, and functions that each take one out of the words."""

from __future__ import annotations

import argparse
from typing import NoReturn

from mtlrun.errors import ConfigError


class OneLineParser(argparse.ArgumentParser):
    """argparse, whose mistakes are one line: its own, and `epilog`, if any, behind it."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print under a page of usage."""
        raise ConfigError("; ".join(filter(None, (message, self.epilog))))


def taken_flag(words: list[str], flag: str, usage: str) -> str | None:
    """The value of `--flag VALUE` or `--flag=VALUE`; None if it is not there."""
    for at, word in enumerate(words):
        if word.startswith(f"{flag}="):
            del words[at]
            return word.partition("=")[2]
        if word == flag:
            if len(words) == at + 1:
                raise ConfigError(f"{flag} needs a value: {usage}")
            del words[at]
            return words.pop(at)
    return None


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
    """The names in `tasks=[a,b]`; None for all."""
    value = taken_setting(words, "tasks", "")
    names = [name.strip() for name in value.strip("[]").split(",") if name.strip()]
    return names or None
