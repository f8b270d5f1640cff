"""Options that data sets have in common, checked before anything is read or drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtlrun.errors import ConfigError, near_miss

SPLITS = {"train": 0, "val": 10_000_000, "test": 20_000_000}
"""First index of each drawn split: ranges never meet, and changing the size of one leaves the others alone."""

MOST_ROWS = 10_000_000


def split_sizes(name: str, sizes: Mapping[str, int]) -> dict[str, int]:
    """Rows per split.

    Raises:
        ConfigError: if a split is unknown or missing, or its size is not a whole number of at least 1.
    """
    for split in sizes:
        if split not in SPLITS:
            raise ConfigError(
                f"data.{name}: no split '{split}'{near_miss(split, SPLITS)} (there are: {', '.join(SPLITS)})"
            )
    missing = [split for split in SPLITS if split not in sizes]
    if missing:
        raise ConfigError(f"data.{name} lacks '{missing[0]}': set data.{name}.{missing[0]} to a number of rows")
    return {split: whole(f"{name}.{split}", sizes[split], 1, MOST_ROWS) for split in SPLITS}


def whole(name: str, value: object, least: int, most: int = MOST_ROWS) -> int:
    """The value of an option, if it is a whole number within bounds.

    Raises:
        ConfigError: otherwise.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"data.{name} should be a whole number from {least} to {most}, found {value!r}")
    return value


def share(name: str, value: object) -> float:
    """The value of an option, if it is a share from 0 to below 1.

    Raises:
        ConfigError: otherwise.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ConfigError(f"data.{name} should be a share from 0 to below 1, found {value!r}")
    return float(value)


def some(name: str, value: object) -> float:
    """The value of an option, if it is a share above 0 and below 1.

    Raises:
        ConfigError: otherwise.
    """
    part = share(name, value)
    if not part:
        raise ConfigError(f"data.{name} should be a share above 0 and below 1, found {value!r}")
    return part


def val_and_test(val: object, test: object) -> list[float]:
    """The shares of validation and test, if both have rows and leave some to train on.

    Raises:
        ConfigError: otherwise.
    """
    shares = [share("val", val), share("test", test)]
    if 0 in shares or sum(shares) >= 1:
        raise ConfigError(f"data.val={val} and data.test={test} must each be above 0, and below 1 in sum")
    return shares


def several(name: str, value: Sequence[str]) -> list[str]:
    """The value of an option that takes a list of names; a name by itself would be read letter by letter.

    Raises:
        ConfigError: if it is no list, or has a name twice.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigError(f"data.{name} should be a list, found {value!r}: write data.{name}=[{value}]")
    names = [str(word) for word in value]  # 0 on a command line is a number, and may be a name in a file
    twice = next((word for word in names if names.count(word) > 1), None)
    if twice is not None:
        raise ConfigError(f"data.{name} has '{twice}' twice: name it once")
    return names


def within(option: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raise ConfigError unless data.`option` is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        limits = f"at least {low:g}" if high == float("inf") else f"a number from {low:g} to {high:g}"
        raise ConfigError(f"data.{option} must be {limits}, found {value!r}")
