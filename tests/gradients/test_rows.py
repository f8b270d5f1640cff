"""Which columns of the gradients a process has."""

import pytest
import torch
from torch import nn

from mtlrun.gradients.ranks import Ranks
from mtlrun.gradients.rows import GradientRows

SIZES = (3, 4, 5)


@pytest.mark.parametrize(
    ("ranks", "whole", "wanted", "columns"),
    [
        (Ranks(), False, [1], [slice(3, 7)]),
        (Ranks(0, 2), False, [0, 1], [slice(0, 3), slice(3, 6)]),
        (Ranks(1, 2), False, [0, 1], [slice(0, 1)]),
        (Ranks(1, 2), False, [2], [slice(1, 6)]),
        (Ranks(1, 2), False, [0], []),
        (Ranks(1, 2), True, [0, 2], [slice(0, 3), slice(7, 12)]),
        (Ranks(3, 5), False, [2], [slice(0, 3)]),
        (Ranks(4, 5), False, [0, 1, 2], []),
    ],
)
def test_columns_of_parameters_in_the_part_of_a_process(ranks, whole, wanted, columns):
    """12 numbers in 6 columns for each of two processes; in 3 for each of five, the last of which has none."""
    parameters = [nn.Parameter(torch.zeros(size)) for size in SIZES]
    rows = GradientRows(parameters, ranks)
    rows.begin(2, whole=whole)
    assert rows.columns([parameters[place] for place in wanted]) == columns
