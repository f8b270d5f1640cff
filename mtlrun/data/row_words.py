"""Vectors made from a table, as the table had them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import torch
from torch import Tensor

from mtlrun.types import CATEGORY, MISSING_FLAG, InputColumn

EPOCH = date(1970, 1, 1)
ROUNDING = 0.01
"""Days by which float32 may miss a date."""
SHOWN = 12
"""Columns of a row that its words name."""


def rows_in_words(columns: Sequence[InputColumn], inputs: Tensor) -> list[str]:
    """Vectors [B, D], each as a text with a column a line."""
    return ["\n".join(_lines(columns, row)) for row in inputs.to(torch.float64).tolist()]


def _lines(columns: Sequence[InputColumn], row: Sequence[float]) -> list[str]:
    absent = {column.name for column, entry in zip(columns, row) if column.kind == MISSING_FLAG and entry == 1}
    words = {
        column.name: "-" if column.name in absent else _word(column, entry)
        for column, entry in zip(columns, row)
        if column.kind != MISSING_FLAG
    }
    lines = [f"{name[:14]} {word[:14]}" for name, word in words.items()][:SHOWN]
    return lines + ([f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else [])


def _word(column: InputColumn, entry: float) -> str:
    """What an entry of a vector stands for."""
    if column.kind == CATEGORY:
        return (column.values[int(entry) - 1] or "-") if entry else "other"
    value = entry * column.deviation + column.mean
    return str(EPOCH + timedelta(days=int(value + ROUNDING))) if column.date else f"{value:.4g}"
