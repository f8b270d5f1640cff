"""Which rows each split has: at random, each class in every split, by group, or by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.split_sizes import SPLITS, Shares
from mtlrun.errors import ConfigError, DataError

FEWEST_ROWS = 2  # of a split: some metrics are not defined on one

Rows = dict[str, Tensor]
"""Rows of each split, in the table of all files' rows."""


@dataclass(frozen=True)
class SplitKey:
    """The column that decides which rows go together.

    kind: 'group' or 'order', the option that names it. name: of the column. values: [N] numbers, NaN or '' for none.
    """

    kind: str
    name: str
    values: Array

    @property
    def words(self) -> str:
        """How the splits were made, for the statement."""
        return f"by {self.name} (no group in two splits)" if self.kind == "group" else f"by {self.name} (newest last)"


def split_rows(counts: Sequence[int], shares: Shares, seed: int) -> Rows:
    """Rows of each split, those of the first file at random.

    Args:
        counts: rows of each file, in the order train, val, test.
        shares: as `shares_of` gives them.
        seed: of the random split of the first file.

    Raises:
        DataError: if a split has too few rows.
    """
    sizes = sizes_of(counts[0], shares)
    order = torch.randperm(counts[0], generator=torch.Generator().manual_seed(seed))
    return with_files(dict(zip(sizes, order.split([*sizes.values()]))), counts, shares)


def sizes_of(count: int, shares: Shares) -> dict[str, int]:
    """Rows of each split that is taken from the first file."""
    held_out = {split: round(share * count) for split, share in shares.items() if share is not None}
    return {"train": count - sum(held_out.values()), **held_out}


def with_files(rows: Rows, counts: Sequence[int], shares: Shares) -> Rows:
    """The splits of the first file, and those that have files of their own.

    Raises:
        DataError: if a split has too few rows.
    """
    own_files = [split for split, share in shares.items() if share is None]
    for split, start, count in zip(own_files, np.cumsum(counts), counts[1:]):
        rows[split] = torch.arange(count) + int(start)
    check_sizes({split: len(rows[split]) for split in SPLITS}, sum(counts))
    return rows


def check_sizes(sizes: Mapping[str, int], total: int) -> None:
    """Raise DataError if a split has too few of all rows."""
    for split, size in sizes.items():
        if size < FEWEST_ROWS:
            raise DataError(
                f"{size} of {total} rows are left for {split}, which needs {FEWEST_ROWS}: "
                "add rows, or change data.val and data.test"
            )


def split_by(key: SplitKey, shares: Shares, seed: int) -> Rows:
    """Splits of one file by the key.

    Raises:
        ConfigError: if val or test has a file of its own.
        DataError: if a row has no key, or there are too few groups or times.
    """
    if None in shares.values():
        raise ConfigError(
            f"data.{key.kind}={key.name} splits the rows of data.path: leave out data.val_path and data.test_path"
        )
    absent = key.values == "" if key.values.dtype == object else np.isnan(key.values.astype(np.float64))
    if absent.any():
        raise DataError(
            f"{absent.sum()} of {len(absent)} rows have no value of '{key.name}' (data.{key.kind}), the first is row "
            f"{absent.argmax() + 1}: fill or drop them"
        )
    sizes = sizes_of(len(absent), shares)
    rows = _by_group(key, sizes, seed) if key.kind == "group" else _by_order(key, sizes)
    return with_files(rows, [len(absent)], shares)


def _by_group(key: SplitKey, sizes: Mapping[str, int], seed: int) -> Rows:
    """Whole groups in random order: to validation, then to the test, until each has as many rows as it should, as
    nearly as whole groups allow; the others are trained on."""
    _, groups = np.unique(key.values, return_inverse=True)
    members = np.bincount(groups)
    if len(members) < len(SPLITS):
        raise DataError(f"data.group={key.name} has {len(members)} groups: three splits need three groups or more")
    order = torch.randperm(len(members), generator=torch.Generator().manual_seed(seed)).tolist()
    chosen = np.zeros(len(members), dtype=np.int64)
    for place, split in enumerate(SPLITS[1:], 1):
        room = max(sizes[split], 1)
        order.sort(key=lambda group: max(members[group], room))  # stable: too large ones come last, the largest at last
        taken = 0
        while len(order) > len(SPLITS) - place and (not taken or taken + members[order[0]] / 2 <= sizes[split]):
            group = order.pop(0)
            chosen[group], taken = place, taken + members[group]
    assigned = torch.from_numpy(chosen[groups])
    return {split: (assigned == place).nonzero().squeeze(1) for place, split in enumerate(SPLITS)}


def _by_order(key: SplitKey, sizes: Mapping[str, int]) -> Rows:
    """The newest rows are the test, those before them validation; rows of one time stay together."""
    if key.values.dtype == object:
        found = next(value for value in key.values)
        raise DataError(
            f"data.order={key.name} holds words such as '{found}': write numbers, or dates as 2024-12-31 or 2024-12-31 "
            "23:59"
        )
    times = key.values if key.values.dtype.kind in "iu" else key.values.astype(np.float64)
    order = np.argsort(times, kind="stable")
    starts = np.unique(times[order], return_index=True)[1]  # where a time begins
    if len(starts) < len(SPLITS):
        raise DataError(f"data.order={key.name} has {len(starts)} different times: three splits need three or more")
    test = _nearest(starts[2:], sizes["train"] + sizes["val"])
    val = _nearest(starts[(starts > 0) & (starts < test)], sizes["train"])
    rows = torch.from_numpy(order)
    return {"train": rows[:val], "val": rows[val:test], "test": rows[test:]}


def _nearest(starts: Array, wanted: int) -> int:
    return int(starts[np.abs(starts - wanted).argmin()])
