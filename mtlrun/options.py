"""Checks of options as a user types them: each takes the option's full name, and gives its value or raises one line.

A truth value is no number here, although it is one in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError

INFINITY = float("inf")


def is_number(value: object) -> bool:
    """Whether this is a finite number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < INFINITY


def is_whole(value: object) -> bool:
    """Whether this is a whole number; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole(option: str, value: int, least: int = 1, most: int | None = None) -> int:
    """A whole number from `least` to `most`.

    Raises:
        ConfigError: if it is anything else.
    """
    if not is_whole(value) or value < least or (most is not None and value > most):
        limits = f"must be a whole number of at least {least}"
        if most is not None:
            limits = f"should be a whole number from {least} to {most}"
        raise ConfigError(f"{option} {limits}, found {value!r}")
    return value


def number(option: str, value: float, least: float, most: float = INFINITY) -> float:
    """A finite number from `least` to `most`.

    Raises:
        ConfigError: if it is anything else.
    """
    if not is_number(value) or not least <= value <= most:
        limits = f"a number from {least:g} to {most:g}" if most < INFINITY else f"a finite number of at least {least:g}"
        raise ConfigError(f"{option} must be {limits}, found {value!r}")
    return float(value)


def below(option: str, value: float, least: float, end: float = INFINITY) -> float:
    """A finite number of at least `least` and below `end`.

    Raises:
        ConfigError: if it is anything else.
    """
    if not is_number(value) or not least <= value < end:
        limits = f"at least {least:g}" + ("" if end == INFINITY else f" and below {end:g}")
        raise ConfigError(f"{option} must be {limits}, found {value!r}")
    return value


def positive(option: str, value: float) -> float:
    """A finite number above 0.

    Raises:
        ConfigError: if it is anything else.
    """
    if not is_number(value) or value <= 0:
        raise ConfigError(f"{option} must be a number > 0, found {value!r}")
    return value


def not_negative(option: str, value: float) -> float:
    """A finite number of at least 0.

    Raises:
        ConfigError: if it is anything else.
    """
    if not is_number(value) or value < 0:
        raise ConfigError(f"{option} must be a number >= 0, found {value!r}")
    return value


def share(option: str, value: float, empty: bool = True) -> float:
    """A share below 1, from 0 if it may be `empty`, else above 0.

    Raises:
        ConfigError: if it is anything else.
    """
    if not is_number(value) or not 0 <= value < 1:
        raise ConfigError(f"{option} should be a share from 0 to below 1, found {value!r}")
    if not value and not empty:
        raise ConfigError(f"{option} should be a share above 0 and below 1, found {value!r}")
    return float(value)


def flag(option: str, value: bool) -> bool:
    """A truth value.

    Raises:
        ConfigError: if it is anything else.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{option} must be true or false, found {value!r}")
    return value


def whole_numbers(option: str, values: Sequence[int], example: str) -> list[int]:
    """A list of one or more whole numbers of at least 1; `example` is what the message says to try.

    Raises:
        ConfigError: if it is anything else.
    """
    listed = _listed(values)
    if not listed or any(not is_whole(value) or value < 1 for value in listed):
        raise ConfigError(
            f"{option} should be a list of positive whole numbers, found {values}; try {option}={example}"
        )
    return listed


def numbers(option: str, values: Sequence[float], example: str) -> list[float]:
    """A list of one or more finite numbers; `example` is what the message says to try.

    Raises:
        ConfigError: if it is anything else.
    """
    listed = _listed(values)
    if not listed or not all(map(is_number, listed)):
        raise ConfigError(f"{option} should be a list of finite numbers, found {values}; try {option}={example}")
    return listed


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str) else []


def local_path(option: str, value: str | Path) -> Path:
    """A path on this machine, where ~ is the home folder.

    Raises:
        ConfigError: if it is a number or another thing that is no path.
    """
    if not isinstance(value, str | Path):
        raise ConfigError(f"{option} should be a path, found {value!r}; try {option}=./{value}")
    return Path(value).expanduser()


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list such as [1,2]",
    dict: "a group of settings",
}


def check_like_default(option: str, value: Any, default: Any, written: Any = None) -> None:
    """Refuse a value that cannot stand in for the default of a setting that no type describes.

    An int is a float, null is no number, and a default of null says nothing.

    Args:
        written: the default as its file has it, if that looks better in the message.

    Raises:
        ConfigError: if it has another type.
    """
    if default is None or _fits(value, default):
        return
    shown = default if written is None else written
    raise ConfigError(f"{option}={as_typed(value)}: must be {_KINDS[type(default)]}, like the default {shown!r}")


def _fits(value: Any, default: Any) -> bool:
    """Whether the value can stand in for the default."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if value is None:
        return not isinstance(default, int)
    if isinstance(default, dict):
        return isinstance(value, Mapping)
    return isinstance(value, list | tuple if isinstance(default, list) else type(default))


def as_typed(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool | float) else str(value)


def distinct(option: str, value: Sequence[str]) -> list[str]:
    """A list of names without repetition; a name by itself would be read letter by letter.

    Raises:
        ConfigError: if it is no list, or has a name twice.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigError(f"{option} should be a list, found {value!r}: write {option}=[{value}]")
    names = [str(word) for word in value]  # 0 on a command line is a number, and may be a name in a file
    twice = next((word for word in names if names.count(word) > 1), None)
    if twice is not None:
        raise ConfigError(f"{option} has '{twice}' twice: name it once")
    return names


def by_name(option: str, value: Mapping[Any, Any] | None, example: str) -> dict[str, Any]:
    """Settings by name, none for null; `example` is what the message says to try.

    Raises:
        ConfigError: if it is anything else.
    """
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{option}={as_typed(value)}: should be settings by name, as in '{option}={example}'")
    return {str(name): setting for name, setting in (value or {}).items()}
