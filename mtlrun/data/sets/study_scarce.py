"""A task with few rows beside one with many, related or not.

Both are linear in d dimensions: y = w . x + noise. The true unit vectors of `scarce` and `ample` have the cosine
`relatedness`. With fewer rows than dimensions, `scarce` alone can fit its rows exactly, whatever their noise, and
knows nothing of its vector outside of their span. Where one vector u answers for both (heads without parameters),
the sum of the two mean squared errors has its least value where H_s (u - w_s) + H_a (u - w_a) is the noise, with
the second moments H of each task's rows: `ample` fixes u in all directions. The price is a part of w_s - w_a, whose
squared length is 2 (1 - relatedness).

With a free factor per task instead, a task that begins with the wrong sign may fit its few rows with a huge factor
on the other's noise, and not come back: training is then no longer convex.
"""

from __future__ import annotations

import torch

from mtlrun.data.drawn.linear_problems import LinearRows, directions, linear, rows_of_their_own, splits_of
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import MOST_ROWS, check_values
from mtlrun.options import number, whole


def load(
    seed: int = 0,
    relatedness: float = 1.0,
    dimensions: int = 50,
    scarce_rows: int = 20,
    ample_rows: int = 400,
    held_out: int = 1000,
    noise: float = 0.3,
) -> Splits:
    """Tasks `scarce` and `ample`, each with rows of its own.

    Args:
        seed: of all draws; the same vector of `scarce` and the same rows, whatever the relatedness.
        relatedness: cosine of the angle between the two true vectors, 0 to 1.
        dimensions: d, of the inputs.
        scarce_rows, ample_rows: of each task in training.
        held_out: rows of each task in validation, and as many in the test.
        noise: deviation of what is added to each label.

    Raises:
        ConfigError: if an option is out of range.
    """
    number("data.relatedness", relatedness, 0, 1)
    whole("data.dimensions", dimensions, 2, MOST_ROWS)
    whole("data.scarce_rows", scarce_rows, 1, MOST_ROWS)
    whole("data.ample_rows", ample_rows, 1, MOST_ROWS)
    whole("data.held_out", held_out, 2, MOST_ROWS)
    number("data.noise", noise, 0)
    check_values(scarce_rows + ample_rows + 4 * held_out, dimensions)
    generator = torch.Generator().manual_seed(seed)
    scarce, across = directions(2, dimensions, generator)
    truth = {"scarce": scarce, "ample": relatedness * scarce + (1 - relatedness**2) ** 0.5 * across}

    def split(counts: dict[str, int]) -> LinearRows:
        return rows_of_their_own(counts, lambda task, n: linear(truth[task], n, noise, generator))

    train = split({"scarce": scarce_rows, "ample": ample_rows})
    val, test = (split({"scarce": held_out, "ample": held_out}) for _ in range(2))
    statement = f"{scarce_rows} and {ample_rows} training rows in {dimensions} dimensions, relatedness {relatedness:g}"
    return splits_of("linear", train, val, test, statement)
