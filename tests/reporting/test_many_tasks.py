import pytest
from scipy import stats

from mtlrun.reporting.many_tasks import interquartile_mean, many_tasks


@pytest.mark.parametrize("count", [4, 10, 11, 41])
def test_interquartile_mean_is_scipys_trimmed_mean(count):
    values = [((7 * place) % count) ** 1.5 for place in range(count)]
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25))


def test_improvement_counts_all_pairs_of_runs():
    ours, theirs = {"a": {0: 1.0, 1: 3.0}}, {"a": {0: 2.0, 1: 3.0}}
    found = many_tasks({"a": {0: -1.0, 1: 0.0}}, ours, theirs)
    assert found.improvement == (0 + 0 + 1 + 0.5) / 4
    mann_whitney = stats.mannwhitneyu([1.0, 3.0], [2.0, 3.0]).statistic
    assert found.improvement == mann_whitney / 4


def test_without_a_common_seed_there_is_nothing_to_average():
    assert many_tasks({"a": {0: 1.0}, "b": {1: 1.0}}, {}, {}) is None
