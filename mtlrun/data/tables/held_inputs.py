"""Inputs of a table that is in memory, encoded there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.label_kinds import Labels
from mtlrun.data.source import Source, TensorSource
from mtlrun.data.tables.column_pass import EncodedInputs, ToEncode, inspected, look_at_columns
from mtlrun.data.tables.raw import RawTable

NAME = "arrays"
"""Of the sources, as of those that are made from arrays."""


def held_inputs(table: RawTable, wanted: ToEncode) -> EncodedInputs:
    """The inputs of all rows as one array.

    Raises:
        DataError: see `mtlrun.data.tables.encode.fitted`.
    """
    kept: list[Array] = []
    facts = look_at_columns(table, wanted, lambda values: kept.append(values.astype(np.float32)))
    values = torch.from_numpy(np.stack([kept[place] for place in facts.order], 1))

    def source(rows: Tensor, labels: dict[str, Labels]) -> Source:
        return TensorSource(
            NAME,
            values[rows],
            {task: label.values[rows] for task, label in labels.items()},
            {task: label.labelled[rows] for task, label in labels.items()},
            row_ids=facts.ids[rows],
            columns=facts.found.columns,
        )

    return EncodedInputs(facts.found, facts.ids, inspected(wanted, facts.found, facts.compared), source)
