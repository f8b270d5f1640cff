"""What a chest radiograph's labels say: a finding is there, is not, is uncertain, or is not mentioned at all.

CheXpert writes them as 1, 0, -1 and blank, and studies what to do with the uncertain ones (Irvin et al. 2019,
https://arxiv.org/abs/1901.07031): leave them out (U-Ignore), take them for absent (U-Zeros) or for present (U-Ones).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlrun.errors import choose

FINDINGS = ("pneumonia", "fracture", "cardiomegaly", "pleural_effusion")
"""The tasks, in the order of the columns."""

UNCERTAIN, BLANK = -1.0, math.nan
"""Entries that are neither 0 nor 1."""

TREATMENTS = {"ignore": math.nan, "zeros": 0.0, "ones": 1.0}


@dataclass(frozen=True)
class Reading:
    """How entries that are neither 0 nor 1 are taken.

    uncertain: 'ignore' leaves them out, 'zeros' takes them for absent, 'ones' for present; in training rows only: on
    other rows nobody can be right or wrong about them. blank: 'ignore' or 'zeros', on all rows.

    Raises:
        ConfigError: if one of them is something else.
    """

    uncertain: str = "ignore"
    blank: str = "ignore"

    def __post_init__(self) -> None:
        choose(self.uncertain, TREATMENTS, "data.uncertain")
        choose(self.blank, ("ignore", "zeros"), "data.blank")

    def answers(self, column: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """Targets float32 [N, 1] of 0, 1 and NaN (not known), and whether they are known: bool [N].

        Args:
            column: entries of a finding, float32 [N].
            training: whether these are training rows.
        """
        uncertain = TREATMENTS[self.uncertain if training else "ignore"]
        blank = column.isnan()
        known = torch.where(column == UNCERTAIN, uncertain, column)
        known = torch.where(blank, TREATMENTS[self.blank], known)
        return known.unsqueeze(1), ~known.isnan()

    def all_answers(self, entries: dict[str, Tensor], training: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Targets and masks by task, from the entries [N] of each."""
        pairs = {task: self.answers(column, training) for task, column in entries.items()}
        return {task: pair[0] for task, pair in pairs.items()}, {task: pair[1] for task, pair in pairs.items()}


def counted(labelled: dict[str, Tensor]) -> str:
    """How many rows know each task's answer."""
    return ", ".join(f"{task} {int(mask.sum())}" for task, mask in labelled.items())
