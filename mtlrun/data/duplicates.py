"""Rows that stand in two splits: what was trained on is no test."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.data.fingerprint import ids_of_rows
from mtlrun.data.label_kinds import Labels

log = logging.getLogger(__name__)


def warn_of_duplicates(ids: Tensor, labels: Mapping[str, Labels], rows: Mapping[str, Tensor]) -> None:
    """Count the rows of val and test that stand in train too, with the same inputs and the same labels.

    Args:
        ids: of the inputs of all rows, int64 [N]: equal inputs, equal numbers.
        labels: of all rows.
        rows: of each split.
    """
    whole = ids_of_rows(torch.stack([ids, *(_ids(found) for found in labels.values())], 1))
    warn_of_shared(whole, rows, "rows", "stand in train too, with the same inputs and labels")


def warn_of_shared(ids: Tensor, rows: Mapping[str, Tensor], what: str, how: str) -> None:
    """Count what val and test share with train.

    Args:
        ids: of all rows, int64 [N].
        rows: of each split.
        what: rows are called.
        how: they are shared, in words.
    """
    trained = ids[rows["train"]]
    counts = {split: int(torch.isin(ids[rows[split]], trained).sum()) for split in ("val", "test")}
    told = [f"{count} of {len(rows[split])} {what} of {split}" for split, count in counts.items() if count]
    if told:
        log.warning(
            "%s %s: drop them, or keep what belongs together in one split with data.group=COLUMN",
            " and ".join(told),
            how,
        )


def _ids(found: Labels) -> Tensor:
    values = found.values.double() if found.values.is_floating_point() else found.values.long()
    blank = ~found.labelled.reshape(-1, *[1] * (values.dim() - 1))
    return ids_of_rows(values.masked_fill(blank, 0).view(torch.int64).clone())
