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
    # d = (1, 2): parts 1 and 4 of 5; then d = (-2, 0): parts -2 and 6 of 4
    shares = statistics.update_shares()
    assert [shares["a"], shares["b"]] == pytest.approx([(1 - 2) / 9, (4 + 6) / 9])


def test_steps_near_a_stationary_point_do_not_decide_the_shares():
    statistics = PairStatistics(["a", "b"])
    statistics.add(["a", "b"], gram([1, 0], [0, 1]), torch.ones(2))
    for gap in (1e-2, 1e-3, 1e-5, 1e-12):  # d = gap (1, 0): shares of about 1 / gap, in this step alone
        statistics.add(["a", "b"], gram([1, 0], [gap - 1, 0]), torch.ones(2))
    assert list(statistics.update_shares().values()) == pytest.approx([0.5, 0.5], abs=0.01)


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
