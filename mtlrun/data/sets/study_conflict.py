"""Two tasks that need the same feature with opposite signs.

The labels are u . x and -u . x plus noise, and the heads have no parameters: the one shared unit h = w . x is the
answer of both. The gradients of the two squared errors on w are w - u and w + u up to a factor: wherever |w| < |u|
their cosine is negative, and the best that one w can do for both is 0. With gamma_t h per task the sign is the
task's own, and both gradients pull w along the same line.
"""

from __future__ import annotations

import torch

from mtlrun.data.drawn.linear_problems import LinearRows, directions, normal, splits_of
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import MOST_ROWS, check_values
from mtlrun.options import number, whole


def load(seed: int = 0, dimensions: int = 20, rows: int = 400, held_out: int = 400, noise: float = 0.0) -> Splits:
    """Tasks `plus` and `minus`, on the same rows.

    Args:
        seed: of all draws.
        dimensions: of the inputs.
        rows: in training.
        held_out: rows in validation, and as many in the test.
        noise: deviation of what is added to each label.

    Raises:
        ConfigError: if an option is out of range.
    """
    whole("data.dimensions", dimensions, 1, MOST_ROWS)
    whole("data.rows", rows, 1, MOST_ROWS)
    whole("data.held_out", held_out, 2, MOST_ROWS)
    number("data.noise", noise, 0)
    check_values(rows + 2 * held_out, dimensions)
    generator = torch.Generator().manual_seed(seed)
    (vector,) = directions(1, dimensions, generator)

    def split(count: int) -> LinearRows:
        inputs = normal(generator, count, dimensions)
        plus, minus = inputs @ vector, -(inputs @ vector)
        targets = {"plus": plus + noise * normal(generator, count), "minus": minus + noise * normal(generator, count)}
        return LinearRows(inputs, targets)

    statement = f"{rows} training rows in {dimensions} dimensions, the same feature with opposite signs"
    return splits_of("linear", split(rows), split(held_out), split(held_out), statement)
