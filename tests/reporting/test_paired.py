"""Intervals and tests against scipy.stats, hand-worked numbers, and their levels by simulation."""

import numpy as np
import pytest
from scipy import stats

from mtlrun.reporting.compared import towards_better
from mtlrun.reporting.paired import detectable, estimate, holm


@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_interval_and_p_are_students(count):
    values = np.random.default_rng(count).normal(0.3, 1, count)
    found = estimate(values.tolist())
    theirs = stats.ttest_1samp(values, 0)
    interval = theirs.confidence_interval()
    assert found.p == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.deviation == pytest.approx(values.std(ddof=1))


def test_three_seeds_by_hand():
    # mean 2, deviation 1, error 1 / sqrt(3) = 0.57735, t(0.975; 2) = 4.302653, so 2 +- 2.484138
    found = estimate([1.0, 2.0, 3.0])
    assert (found.mean, found.low, found.high) == pytest.approx((2.0, -0.484138, 4.484138), abs=1e-6)
    assert not found.separated


@pytest.mark.parametrize("values", [[0.1], [0.1, 0.1, 0.1], [0.3 - 0.2, 0.1, 0.4 - 0.3], [0.0, 0.0]])
def test_one_value_is_no_sample_however_often_it_is_written(values):
    found = estimate(values)
    assert (found.low, found.high, found.p, found.separated) == (None, None, None, False)


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.04 times 3, 2, 1; the last may not fall below the one before; None is no test
    assert holm([0.04, None, 0.01, 0.02]) == [pytest.approx(0.04), None, pytest.approx(0.03), pytest.approx(0.04)]
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("count", "expected"), [(2, 9.96), (3, 3.10), (4, 2.08), (5, 1.66)])
def test_what_so_few_seeds_can_show(count, expected):
    assert detectable(count) == pytest.approx(expected, abs=0.01)
    assert detectable(count, comparisons=10) > 1.5 * expected


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 5])
def test_the_difference_that_can_show_shows_in_four_of_five_samples(count):
    draw = np.random.default_rng(1).normal(detectable(count), 1, (4000, count))
    shown = np.mean([estimate(values).separated for values in draw.tolist()])
    assert 0.74 < shown < 0.86


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3, 5])
def test_intervals_cover_what_they_say(count):
    """1,000 tables of 4 configurations whose noise differs tenfold."""
    random = np.random.default_rng(0)
    scale = np.array([1.0, 1.0, 3.0, 10.0])[:, None]
    covered = []
    for _ in range(1000):
        shared = random.normal(size=count)  # what a seed does to all configurations alike
        table = shared + scale * random.normal(size=(4, count)) + 0.7
        found = [estimate((row - shared).tolist()) for row in table]
        covered += [entry.low <= 0.7 <= entry.high for entry in found]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.012)


def test_turning_the_sign_turns_values_and_interval_too():
    losses = [-3.0, -1.0, -2.5]
    assert towards_better(estimate(losses), "delta_m") == estimate([3.0, 1.0, 2.5])
    assert towards_better(estimate(losses), "delta_p") == estimate(losses)
    assert towards_better(estimate([-3.0]), "delta_m") == estimate([3.0])
    assert towards_better(None, "delta_m") is None
