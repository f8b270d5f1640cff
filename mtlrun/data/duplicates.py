"""Rows that stand in two splits: what was trained on is no test."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.fingerprint import AT_ONCE, RowIds, ids_of_rows
from mtlrun.data.label_kinds import Labels

log = logging.getLogger(__name__)


def warn_of_duplicates(
    ids: Tensor, labels: Mapping[str, Labels], rows: Mapping[str, Tensor], grouped: bool = False
) -> None:
    """Count the rows of val and test that stand in train too, with the same inputs and the same labels.

    Args:
        ids: of the inputs of all rows, int64 [N]: equal inputs, equal numbers.
        labels: of all rows.
        rows: of each split.
        grouped: whether the splits keep groups together already.
    """
    whole = RowIds(1 + len(labels))  # a column at a time: there may be as many rows as memory holds of these
    for place, column in enumerate(chain([ids], map(_ids, labels.values()))):
        if whole.takes(place):
            whole.add(place, column)
    warn_of_shared(whole.result(), rows, "rows", "stand in train too, with the same inputs and labels", grouped)


def warn_of_shared(ids: Tensor, rows: Mapping[str, Tensor], what: str, how: str, grouped: bool = False) -> None:
    """Count what val and test share with train.

    Args:
        ids: of all rows, int64 [N].
        rows: of each split.
        what: rows are called.
        how: they are shared, in words.
        grouped: see `warn_of_duplicates`.
    """
    trained = np.sort(ids[rows["train"]].numpy())  # torch.isin takes several copies
    counts = {split: _among(ids[rows[split]].numpy(), trained) for split in ("val", "test")}
    told = [f"{count} of {len(rows[split])} {what} of {split}" for split, count in counts.items() if count]
    if told:
        other = "" if grouped else ", or keep what belongs together in one split with data.group=COLUMN"
        log.warning("%s %s: drop them%s", " and ".join(told), how, other)


def _among(ids: Array, known: Array) -> int:
    """How many are among the known ones, which are in order."""
    places = np.searchsorted(known, ids).clip(max=len(known) - 1)
    return int((known[places] == ids).sum())


def _ids(found: Labels) -> Tensor:
    parts = zip(found.values.split(AT_ONCE), found.labelled.split(AT_ONCE))
    return torch.cat([_ids_of_some(values, labelled) for values, labelled in parts])


def _ids_of_some(values: Tensor, labelled: Tensor) -> Tensor:
    exact = values.double() if values.is_floating_point() else values.long()
    blank = ~labelled.reshape(-1, *[1] * (exact.dim() - 1))
    return ids_of_rows(exact.masked_fill(blank, 0).view(torch.int64).clone())
