"""From the options of a user's data to the rows of each split, and the words that say how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mtlrun.data.label_kinds import Labels
from mtlrun.data.row_splits import Rows, SplitKey, sizes_of, split_by, split_rows, with_files
from mtlrun.data.split_sizes import SPLITS, Shares, shares_of
from mtlrun.data.stratify import rare_classes, stratified
from mtlrun.errors import ConfigError, DataError


@dataclass(frozen=True)
class SplitOptions:
    """The options of the same names; `data.stratify` null means true for tables.

    Raises:
        ConfigError: if both `group` and `order` are given, or one of them and `stratify`, or the shares leave nothing.
    """

    val_path: str | None
    test_path: str | None
    val: float
    test: float
    seed: int
    group: str | None = None
    order: str | None = None
    stratify: bool = False

    def __post_init__(self) -> None:
        if self.group is not None and self.order is not None:
            raise ConfigError(f"data.group={self.group} and data.order={self.order}: rows are split by one of them")
        shares_of(self.val_path, self.test_path, self.val, self.test)

    @property
    def shares(self) -> Shares:
        return shares_of(self.val_path, self.test_path, self.val, self.test)

    @property
    def key(self) -> tuple[str, str] | None:
        """(option, name of the column) that rows are split by."""
        if self.group is not None:
            return "group", str(self.group)
        return None if self.order is None else ("order", str(self.order))


def planned(
    options: SplitOptions, counts: Sequence[int], labels: Mapping[str, Labels], key: SplitKey | None
) -> tuple[Rows, str]:
    """The rows of each split, and how they were made.

    Args:
        options: of the user.
        counts: rows of each file, in the order train, val, test.
        labels: of each task, for the rows of all files.
        key: the column that `options.key` names.

    Raises:
        ConfigError, DataError: if a split cannot be made.
    """
    if key is not None:
        return split_by(key, options.shares, options.seed), key.words
    how = "by file" if len(counts) == len(SPLITS) else f"at random (data.seed={options.seed})"
    how = f"by file and {how}" if len(counts) == 2 else how
    if len(counts) == len(SPLITS):
        return split_rows(counts, options.shares, options.seed), how
    own = {task: _first(label, counts[0]) for task, label in labels.items()}
    sizes = sizes_of(counts[0], options.shares)
    rare = rare_classes(own, sizes)
    if not (rare and options.stratify):
        return split_rows(counts, options.shares, options.seed), how
    rows = with_files(stratified(own, rare, sizes, options.seed), counts, options.shares)
    return rows, f"{how}, stratified by the rare classes of {', '.join(rare)}"


def _first(label: Labels, count: int) -> Labels:
    return replace(label, values=label.values[:count], labelled=label.labelled[:count])


def check_labels(labels: Mapping[str, Labels], rows: Mapping[str, Tensor]) -> None:
    """Raise DataError if a task has no label in one of the splits."""
    for task, found in labels.items():
        for split in SPLITS:
            if not found.labelled[rows[split]].any():
                raise DataError(
                    f"task '{task}' has labels in {int(found.labelled.sum())} rows but in none of the "
                    f"{len(rows[split])} of {split}: label more, try another data.seed, or leave it out with "
                    "data.targets=[...]"
                )


def statement(rows: Mapping[str, Tensor], labels: Mapping[str, Labels], how: str) -> str:
    """How the splits were made and what the labels were taken for, in one line."""
    sizes = "/".join(str(len(rows[split])) for split in SPLITS)
    kinds = ", ".join(f"{task}: {found.summary}" for task, found in labels.items())
    total = sum(len(rows[split]) for split in SPLITS)
    return f"{sizes} rows for train/val/test, split {how}; labels of all {total} rows taken for {kinds}"


def bits(values: Tensor) -> Tensor:
    """float64 [N] as whole numbers that tell any two of them apart, int64 [N]; all NaN are one."""
    return torch.where(values.isnan(), torch.nan, values).view(torch.int64)
