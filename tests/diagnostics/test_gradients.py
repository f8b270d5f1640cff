"""Pair statistics on Gram matrices worked out by hand."""

import pytest
import torch

from mtlrun.diagnostics.gradients import PairStatistics, default_interval


def gram(*rows):
    jacobian = torch.tensor(rows, dtype=torch.float64)
    return jacobian @ jacobian.T


def test_cosines_conflicts_and_shares():
    statistics = PairStatistics(["a", "b"])
    assert statistics.add(["a", "b"], gram([1, 0], [0, 2]), torch.tensor([1.0, 1.0])) == [("a", "b", 0.0)]
    statistics.add(["a", "b"], gram([1, 0], [-3, 0]), torch.tensor([1.0, 1.0]))
    assert statistics.pairs() == [
        {"task_a": "a", "task_b": "b", "mean_cosine": -0.5, "conflict_share": 0.5, "measured": 2}
    ]
    assert statistics.conflict_share() == 0.5
    # d = (1, 2): shares 1/5 and 4/5; then d = (-2, 0): shares -2/4 and 6/4
    shares = statistics.update_shares()
    assert [shares["a"], shares["b"]] == pytest.approx([(0.2 - 0.5) / 2, (0.8 + 1.5) / 2])


def test_an_absent_task_and_a_zero_gradient_are_not_counted():
    statistics = PairStatistics(["a", "b", "c"])
    statistics.add(["a", "c"], gram([1, 0], [-1, 0]), None)
    statistics.add(["a", "b", "c"], gram([1, 0], [0, 0], [1, 0]), None)
    assert [(pair["task_a"], pair["task_b"], pair["measured"]) for pair in statistics.pairs()] == [("a", "c", 2)]
    assert statistics.update_shares() == {"a": None, "b": None, "c": None}


def test_continues_from_its_state():
    one, other = PairStatistics(["a", "b"]), PairStatistics(["a", "b"])
    one.add(["a", "b"], gram([1, 1], [1, -2]), torch.ones(2))
    other.load_state_dict(one.state_dict())
    assert other.pairs() == one.pairs()
    assert other.update_shares() == one.update_shares()


@pytest.mark.parametrize("tasks", [2, 4, 40])
def test_default_interval_costs_under_five_percent(tasks):
    """A measured step replaces one backward pass, two thirds of a step, by one per task."""
    assert (tasks - 1) * 2 / 3 / default_interval(tasks, free=False) < 0.05
