"""Linear tasks whose true vectors have something in common, or nothing.

Task t has n rows x ~ N(0, I) in d dimensions with y = w_t . x + noise of deviation s. Alone, least squares leaves
an excess risk of s^2 d / (n - d - 1). With a shared layer of k units, the k (d + T) numbers of the T tasks are
estimated from all T n rows: about s^2 k (d + T) / (T n) if the true vectors lie in k dimensions. If they are
orthonormal, k units cannot hold T of them, and 1 - k / T of each is lost.

Positive and negative transfer by alignment and capacity: Wu, Zhang & Re 2020, arXiv:2005.00944; rates of a shared
subspace: Du et al. 2021, arXiv:2002.09434.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtlrun.data.drawn.linear_problems import LinearRows, directions, linear, normal, rows_of_their_own, splits_of
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import MOST_ROWS, check_values
from mtlrun.errors import ConfigError, choose
from mtlrun.options import number, whole

KIND = {"kind": "Regression", "standardise": False, "judge": "rmse"}


def load(
    seed: int = 0,
    vectors: str = "subspace",
    tasks: int = 8,
    dimensions: int = 50,
    rank: int = 2,
    rows: int = 100,
    held_out: int = 400,
    noise: float = 0.5,
) -> Splits:
    """Tasks `task1`, `task2`, ..., each with rows of its own.

    Args:
        seed: of all draws.
        vectors: 'subspace' for unit vectors in `rank` dimensions, 'orthogonal' for orthonormal ones.
        tasks: T.
        dimensions: d, of the inputs.
        rank: k, of the subspace.
        rows: n, of each task in training.
        held_out: rows of each task in validation, and as many in the test.
        noise: s, deviation of what is added to each label.

    Raises:
        ConfigError: if an option is out of range, or there are more orthogonal vectors than dimensions.
    """
    for option, value in {"tasks": tasks, "dimensions": dimensions, "rank": rank, "rows": rows}.items():
        whole(f"data.{option}", value, 1, MOST_ROWS)
    whole("data.held_out", held_out, 2, MOST_ROWS)
    number("data.noise", noise, 0)
    needed = tasks if choose(vectors, ("subspace", "orthogonal"), "data.vectors") == "orthogonal" else rank
    if needed > dimensions:
        raise ConfigError(f"data.vectors={vectors} needs data.dimensions={needed} or more, found {dimensions}")
    check_values(tasks * (rows + 2 * held_out), max(dimensions, tasks))  # each task has labels for the rows of all
    generator = torch.Generator().manual_seed(seed)
    truth = true_vectors(vectors, tasks, dimensions, rank, generator)

    def split(count: int) -> LinearRows:
        return rows_of_their_own(dict.fromkeys(truth, count), lambda task, n: linear(truth[task], n, noise, generator))

    statement = f"{tasks} linear tasks in {dimensions} dimensions, vectors: {vectors}; {rows} training rows each"
    splits = splits_of("linear", split(rows), split(held_out), split(held_out), statement)
    splits.inferred = {task: dict(KIND) for task in truth}
    return splits


def true_vectors(vectors: str, tasks: int, dimensions: int, rank: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Unit vectors [dimensions] by task."""
    names = [f"task{index + 1}" for index in range(tasks)]
    if vectors == "orthogonal":
        return dict(zip(names, directions(tasks, dimensions, generator)))
    coefficients = normal(generator, tasks, rank)
    coefficients /= coefficients.norm(dim=1, keepdim=True)
    return dict(zip(names, coefficients @ directions(rank, dimensions, generator)))
