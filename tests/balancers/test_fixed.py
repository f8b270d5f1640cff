import pytest
import torch

from mtlrun.balancers import load


def test_given_weights_by_name_and_one_for_the_others():
    jacobian = torch.eye(3)
    weights, update = load("fixed", task_weights={"b": 2.5}).combine(torch.ones(3), jacobian, ["a", "b", "c"])
    assert weights.tolist() == update.tolist() == [1.0, 2.5, 1.0]


def test_equal_is_the_plain_sum():
    assert load("equal").combine(torch.ones(2), torch.eye(2))[1].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("weight", [-1.0, "abc", float("nan")])
def test_bad_weight(weight):
    with pytest.raises(ValueError, match=r"balancer\.task_weights\.a must be a number >= 0"):
        load("fixed", task_weights={"a": weight})
