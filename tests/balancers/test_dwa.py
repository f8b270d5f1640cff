import math

import pytest
import torch

from mtlrun.balancers import load

TASKS = ("a", "b")


def epoch(balancer, *steps, tasks=TASKS):
    for losses in steps:
        weights, _ = balancer.combine(torch.tensor(losses), torch.eye(len(tasks)), tasks)
    balancer.end_epoch()
    return weights.tolist()


def softmax(ratios, temperature):
    powers = [math.exp(ratio / temperature) for ratio in ratios]
    return [len(ratios) * power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_weights_from_the_two_last_epoch_means(temperature):
    balancer = load("dwa", temperature=temperature)
    assert epoch(balancer, [4.0, 1.0], [2.0, 3.0]) == [1.0, 1.0]  # means 3 and 2
    assert epoch(balancer, [1.5, 4.0]) == [1.0, 1.0]  # ratios 0.5 and 2
    assert epoch(balancer, [1.5, 2.0]) == pytest.approx(softmax([0.5, 2.0], temperature))
    assert epoch(balancer, [9.0, 9.0]) == pytest.approx(softmax([1.0, 0.5], temperature))


def test_a_task_without_losses_in_an_epoch_counts_as_unchanged():
    balancer = load("dwa")
    epoch(balancer, [4.0, 1.0])
    epoch(balancer, [2.0], tasks=("a",))
    assert epoch(balancer, [1.0, 1.0]) == pytest.approx(softmax([0.5, 1.0], 2.0))


def test_bad_temperature():
    with pytest.raises(ValueError, match=r"balancer\.temperature must be positive, found 0"):
        load("dwa", temperature=0)
