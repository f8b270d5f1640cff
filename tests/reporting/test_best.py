"""Bold cells and ranks."""

import numpy as np
import pytest

from mtlrun.reporting.best import bold, mean_ranks


def column(*rows):
    return [dict(enumerate(values)) for values in rows]


GOOD, NEAR, BAD = [0.90, 0.91, 0.92, 0.905], [0.901, 0.908, 0.921, 0.904], [0.50, 0.512, 0.519, 0.507]


def test_the_best_and_what_is_not_separated_from_it():
    assert bold([column(GOOD, NEAR, BAD)], [True]) == [[True, True, False]]
    assert bold([column(GOOD, NEAR, BAD)], [False]) == [[False, False, True]]


def test_nothing_where_nothing_is_separated():
    assert bold([column(GOOD, NEAR)], [True]) == [[False, False]]


@pytest.mark.parametrize("rows", [[[0.9], [0.1]], [[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]], [[0.9, 0.8]], [[], []]])
def test_nothing_without_a_test(rows):
    assert bold([column(*rows)], [True]) == [[False] * len(rows)]


def test_seeds_are_paired_not_placed():
    first, second = {0: 0.5, 1: 0.7, 2: 0.9}, {2: 0.8, 1: 0.61, 0: 0.4, 7: 0.1}
    assert bold([[first, second]], [True]) == [[True, False]]  # differences 0.1, 0.09, 0.1


def test_more_columns_correct_each_other():
    one = [column(GOOD, [0.88, 0.899, 0.89, 0.887])]
    assert bold(one, [True]) == [[True, False]]
    many = one + [column(NEAR, GOOD)] * 9
    assert not any(map(any, bold(many, [True] * 10)))


def test_mean_ranks_share_ties_and_know_directions():
    columns = [column([0.9], [0.9], [0.1]), column([3.0], [1.0], [2.0])]
    assert mean_ranks(columns, [True, False]) == [(1.5 + 3) / 2, (1.5 + 1) / 2, (3 + 2) / 2]
    assert mean_ranks([column([0.9], [])], [True]) == [1, None]
    assert mean_ranks([], []) == []


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("rows", "tasks"), [(2, 1), (4, 2), (8, 3)])
@pytest.mark.parametrize("spread", [0, 1])
def test_equal_methods_are_seldom_bold(seeds, rows, tasks, spread):
    """1,000 tables of methods that do not differ; with `spread` some are noisier than others."""
    random = np.random.default_rng(seeds * rows + spread)
    alarms = 0
    for _ in range(1000):
        noise = np.exp(spread * random.normal(size=(rows, 1, 1)))
        values = random.normal(size=(1, tasks, seeds)) + noise * random.normal(size=(rows, tasks, seeds))
        table = [column(*values[:, task].tolist()) for task in range(tasks)]
        alarms += any(map(any, bold(table, [True] * tasks)))
    assert alarms / 1000 < 0.065  # 0.05 and two standard errors
