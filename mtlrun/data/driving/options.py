"""What a user may ask of the drawings, checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mtlrun.errors import ConfigError, near_miss

SPLITS = {"train": 0, "val": 10_000_000, "test": 20_000_000}
"""First index of each split: ranges never meet, and changing the size of one leaves the others alone."""

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


def whole(name: str, value: object, least: int, most: int) -> int:
    """The value of an option, if it is a whole number within bounds.

    Raises:
        ConfigError: otherwise.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"data.{name} should be a whole number from {least} to {most}, found {value!r}")
    return value


def cache_folder(cache: str | None) -> Path | None:
    """Where drawings are kept; None for nowhere."""
    return Path(cache).expanduser() / "driving" if cache else None
