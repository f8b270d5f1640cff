"""Set partitions, their score, and what is proposed."""

import pytest

from mtlrun.advice.partitions import Affinity, proposals, score, set_partitions


def affinity(names, pairs, others=0.0):
    """Symmetric, with these values for pairs and another for all others."""
    table = [[pairs.get(a + b, pairs.get(b + a, others)) for b in names] for a in names]
    return Affinity(tuple(names), tuple(map(tuple, table)), 4)


@pytest.mark.parametrize(("tasks", "bell"), [(1, 1), (2, 2), (3, 5), (5, 52), (8, 4140)])
def test_all_partitions_are_there_once(tasks, bell):
    names = "abcdefgh"[:tasks]
    found = [*set_partitions(names)]
    assert len(found) == len({frozenset(map(frozenset, groups)) for groups in found}) == bell
    assert all(sorted(task for group in groups for task in group) == [*names] for groups in found)


def test_a_score_is_the_mean_over_the_tasks_of_what_their_group_does_for_them():
    values = ((0.9, 0.2, -0.1), (0.4, 0.9, 0.3), (0.0, -0.2, 0.9))
    found = Affinity(("a", "b", "c"), values, 1)
    assert score((("a", "b"), ("c",)), found) == pytest.approx((0.4 + 0.2 + 0.0) / 3)
    assert score((("a", "b", "c"),), found) == pytest.approx(((0.4 + 0.0) / 2 + (0.2 - 0.2) / 2 + (-0.1 + 0.3) / 2) / 3)


def test_what_was_never_measured_counts_for_nothing():
    assert score((("a", "b"),), Affinity(("a", "b"), ((None, None), (0.5, None)), 1)) == pytest.approx(0.25)


def test_the_groups_that_help_each_other_come_first_and_all_or_none_are_no_groups():
    found = proposals(affinity("abcd", {"ab": 0.3, "cd": 0.2}, others=-0.1))
    assert found[0] == (("a", "b"), ("c", "d"))
    assert len(found) == 3
    assert all(1 < len(groups) < 4 for groups in found)
    assert proposals(affinity("ab", {"ab": 1.0})) == []


@pytest.mark.parametrize("most", [1, 3])
def test_many_tasks_are_merged_greedily(most):
    names = "abcdefghij"
    pairs = {a + b: 0.5 for group in ("abcde", "fghij") for a in group for b in group if a < b}
    found = proposals(affinity(names, pairs, others=-0.5), most)
    assert {*map(frozenset, found[0])} == {frozenset("abcde"), frozenset("fghij")}
    assert len(found) == most
