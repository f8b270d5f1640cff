"""A regression in metres or millimetres beside a classification of five classes.

Both are linear: the distance is an offset plus slope (u . x) plus noise, the class is the largest of five numbers
v_k . x, all directions orthonormal. The squared error is in the unit's square: 10^6 times as large in millimetres
as in metres, and so is its gradient, while the cross-entropy is about 1 in both. The plain sum of the losses
follows the distance alone.

Uncertainty weighting settles where exp(-s_t) L_t f = 1/2 for each task: with L in other units, s moves by the
logarithm of the factor and the weighted gradients stay the same (Kendall et al. 2018, arXiv:1705.07115).
Standardised labels take the unit out once and for all, but their weights do not follow the losses.
"""

from __future__ import annotations

import torch

from mtlrun.data.drawn.linear_problems import LinearRows, directions, normal, splits_of
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import MOST_ROWS, check_values
from mtlrun.errors import choose
from mtlrun.options import number, whole

PER_METRE = {"m": 1.0, "mm": 1000.0}
CLASSES = 5
OFFSET, SLOPE = 100.0, 30.0
"""Of the distance, in metres."""


def load(
    seed: int = 0,
    unit: str = "m",
    dimensions: int = 20,
    rows: int = 1000,
    held_out: int = 1000,
    noise: float = 15.0,
) -> Splits:
    """Tasks `distance`, float [N], and `kind`, int64 [N] from 0 to 4, on the same rows.

    Args:
        seed: of all draws; the same rows in either unit.
        unit: of the distance: 'm' or 'mm'.
        dimensions: of the inputs, 6 or more.
        rows: in training.
        held_out: rows in validation, and as many in the test.
        noise: deviation of what is added to the distance, in metres.

    Raises:
        ConfigError: if an option is out of range.
    """
    factor = PER_METRE[choose(unit, PER_METRE, "data.unit")]
    whole("data.dimensions", dimensions, CLASSES + 1, MOST_ROWS)
    whole("data.rows", rows, 1, MOST_ROWS)
    whole("data.held_out", held_out, 2, MOST_ROWS)
    number("data.noise", noise, 0)
    check_values(rows + 2 * held_out, dimensions)
    generator = torch.Generator().manual_seed(seed)
    slope, *kinds = directions(CLASSES + 1, dimensions, generator)

    def split(count: int) -> LinearRows:
        inputs = normal(generator, count, dimensions)
        metres = OFFSET + SLOPE * (inputs @ slope) + noise * normal(generator, count)
        return LinearRows(inputs, {"distance": factor * metres, "kind": (inputs @ torch.stack(kinds, 1)).argmax(1)})

    statement = f"{rows} training rows, distances in {unit} beside {CLASSES} classes"
    return splits_of("measured", split(rows), split(held_out), split(held_out), statement)
