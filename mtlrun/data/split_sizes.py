"""How many rows each split has: the options that data sets have in common, checked before anything is read or drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mtlrun.errors import ConfigError, near_miss
from mtlrun.options import is_number, share, whole

SPLITS = ("train", "val", "test")

FIRST_INDEX = {"train": 0, "val": 10_000_000, "test": 20_000_000}
"""First index of each drawn split: ranges never meet, and changing the size of one leaves the others alone."""

MOST_ROWS = 10_000_000

Shares = Mapping[str, float | None]
"""Per held-out split its share of the first file's rows; None if it has a file of its own."""

MOST_VALUES = 10**12
"""Of the inputs of one source that is drawn: beyond them memory ends before the last row, on nearly any machine."""


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
    return {split: whole(f"data.{name}.{split}", sizes[split], 1, MOST_ROWS) for split in SPLITS}


def check_values(rows: int, *of_a_row: int) -> None:
    """Refuse to draw more values than memory can hold, before the first is drawn.

    Args:
        rows: of all splits.
        of_a_row: factors of the number of values in a row of inputs, such as height and width.

    Raises:
        ConfigError: if there are more than `MOST_VALUES`.
    """
    values = math.prod(of_a_row)
    if rows * values > MOST_VALUES:
        raise ConfigError(
            f"data: {rows} rows of {values} values are {rows * values:.1e} in all, and at most {MOST_VALUES:.0e} are "
            f"drawn: choose fewer rows, or smaller ones"
        )


def held_out_counts(count: int, val: float, test: float) -> tuple[int, int]:
    """Of so many rows those of validation and of test: their shares, one at least of a share that is not 0, and one row
    at least is left to train on; enough are there if each split can have one."""
    held_out, tested = (max(1, round(part * count)) if part else 0 for part in (val, test))
    held_out = min(held_out, count - 1 - bool(test))
    return held_out, min(tested, count - 1 - held_out)


def val_and_test(val: float, test: float) -> list[float]:
    """The shares of validation and test, if both have rows and leave some to train on.

    Raises:
        ConfigError: otherwise.
    """
    shares = [share("data.val", val), share("data.test", test)]
    if 0 in shares or sum(shares) >= 1:
        raise ConfigError(f"data.val={val} and data.test={test} must each be above 0, and below 1 in sum")
    return shares


def shares_of(val_path: str | None, test_path: str | None, val: float, test: float) -> Shares:
    """Per held-out split its share of the first file's rows; None if it has a file of its own.

    Raises:
        ConfigError: if the shares leave nothing for a split.
    """
    shares = {"val": None if val_path else val, "test": None if test_path else test}
    taken = [part for part in shares.values() if part is not None]
    if any(not is_number(part) or part <= 0 for part in taken) or sum(taken) >= 1:
        raise ConfigError(
            f"data.val={val} and data.test={test} must each be above 0, and below 1 in sum: "
            "they are shares of the rows of data.path"
        )
    return shares
