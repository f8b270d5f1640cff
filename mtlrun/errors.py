"""Mistakes of the user's: each ends a command with exit code 2 and one line. This file imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_NAMES = 16


class MtlrunError(ValueError):
    """What is wrong, where it was set and what to do, in one line."""


class ConfigError(MtlrunError):
    """A setting, or a combination of settings, that cannot be trained."""


class DataError(MtlrunError):
    """Data that is missing or malformed."""


class ResumeError(MtlrunError):
    """A run folder that cannot be continued or evaluated."""


class NonFiniteError(RuntimeError):
    """A loss or gradient became NaN or infinite during training (exit code 1: not a mistake in the command)."""


class ProcessLost(RuntimeError):
    """One of several processes that train together has died (exit code 1)."""


class FolderLost(RuntimeError):
    """The folder of a run was removed while it went on (exit code 1)."""


class NotConverged(ArithmeticError):
    """A balancer's solver gave up on this step; its weights fall back to the last good ones and training goes on."""


def near_miss(word: str, options: Iterable[str]) -> str:
    """'; did you mean 'x'?' for the closest option, or '' if none is close."""
    close = get_close_matches(str(word), [str(option) for option in options], n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def named(options: Iterable[str], command: str = "") -> str:
    """' (there are: a, b)'; of many the first ones, how many more, and the command, if any, that lists them all."""
    names = [str(option) for option in options]
    more = len(names) - _MOST_NAMES
    if more > 1:  # one more takes no more room than its count
        rest = f", ... {more} more" + (f": {command}" if command else "")
        return f" (there are: {', '.join(names[:_MOST_NAMES])}{rest})"
    return f" (there are: {', '.join(names) or 'none'})"


def choose(word: str, options: Iterable[str], what: str, command: str = "") -> str:
    """Return `word` if it is one of `options`; otherwise raise ConfigError that lists them.

    Args:
        word: what the user chose.
        options: what there is.
        what: the options are called.
        command: that lists them all, for a list too long for an error.
    """
    options = list(options)
    if word in options:
        return word
    raise ConfigError(f"no {what} '{word}'{near_miss(word, options)}{named(options, command)}")


class Interrupted(SystemExit):
    """SIGTERM or Ctrl-C was obeyed: the step was finished and everything saved. Ends a sweep too (code 143 or 130)."""
