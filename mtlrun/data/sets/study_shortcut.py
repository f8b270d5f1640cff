"""Two tasks whose labels agree in training and are opposite at test.

Labels a and b are -1 or 1. Half of the inputs tell of a, the other half of b: they are normal with mean label *
strength in one direction. Where a = b in all training rows, the best answer to both questions weighs all the
evidence by its strength. With strengths p and q it is right with probability Phi(sqrt(p^2 + q^2)) as long as the
labels agree. Where they are opposite, Phi((p^2 - q^2) / sqrt(p^2 + q^2)) is left to a, and the rest to b, although
b's own evidence would give Phi(q). Nothing in training or validation tells.

Shortcuts: Geirhos et al. 2020, arXiv:2004.07780; between the labels of tasks: Hu et al. 2022, arXiv:2205.09797.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtlrun.data.drawn.linear_problems import LinearRows, directions, normal, signs, splits_of
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import MOST_ROWS, check_values
from mtlrun.options import number, whole


def load(
    seed: int = 0,
    agreement: float = 1.0,
    test_agreement: float = 0.0,
    strength_a: float = 2.0,
    strength_b: float = 1.0,
    dimensions: int = 10,
    rows: int = 1000,
    held_out: int = 1000,
) -> Splits:
    """Tasks `a` and `b`, both labelled 0 or 1 on the same rows, [N, 2 * dimensions].

    Args:
        seed: of all draws.
        agreement: share of the training and validation rows in which the labels are equal.
        test_agreement: the same of the test rows.
        strength_a, strength_b: distance of a class's mean from 0 in the half of the inputs that tells of it, in
            deviations.
        dimensions: of each half.
        rows: in training.
        held_out: rows in validation, and as many in the test.

    Raises:
        ConfigError: if an option is out of range.
    """
    number("data.agreement", agreement, 0, 1)
    number("data.test_agreement", test_agreement, 0, 1)
    number("data.strength_a", strength_a, 0)
    number("data.strength_b", strength_b, 0)
    whole("data.dimensions", dimensions, 1, MOST_ROWS)
    whole("data.rows", rows, 1, MOST_ROWS)
    whole("data.held_out", held_out, 1, MOST_ROWS)
    check_values(rows + 2 * held_out, 2, dimensions)
    generator = torch.Generator().manual_seed(seed)
    (of_a,), (of_b,) = (directions(1, dimensions, generator) for _ in range(2))

    def split(count: int, share: float) -> LinearRows:
        a = signs(count, generator)
        b = torch.where(torch.rand(count, generator=generator) < share, a, -a)
        halves = [evidence(a, strength_a * of_a, generator), evidence(b, strength_b * of_b, generator)]
        return LinearRows(torch.cat(halves, 1), {"a": (a > 0).long(), "b": (b > 0).long()})

    statement = f"labels equal in {agreement:.0%} of training and validation rows, in {test_agreement:.0%} of test rows"
    train, val, test = split(rows, agreement), split(held_out, agreement), split(held_out, test_agreement)
    return splits_of("evidence", train, val, test, statement)


def evidence(labels: Tensor, mean: Tensor, generator: torch.Generator) -> Tensor:
    """Inputs [N, D] that are normal around label * mean."""
    return labels[:, None] * mean + normal(generator, len(labels), len(mean))
