import itertools

import pytest
import torch

from mtlrun.balancers import load


def surgery(jacobian, orders):
    """Algorithm 1 on the gradients themselves, with given orders of the other tasks."""
    total = torch.zeros_like(jacobian[0])
    for i, order in enumerate(orders):
        g = jacobian[i].clone()
        for j in order:
            inner = g @ jacobian[j]
            if inner < 0:
                g = g - inner / (jacobian[j] @ jacobian[j]) * jacobian[j]
        total = total + g
    return total


def test_two_tasks_by_hand():
    """g = (1, 0), (-1, 1): the projections are (1/2, 1/2) and (0, 1)."""
    jacobian = torch.tensor([[1.0, 0.0], [-1.0, 1.0]], dtype=torch.float64)
    weights, update = load("pcgrad").combine(torch.ones(2, dtype=torch.float64), jacobian)
    assert update.tolist() == pytest.approx([0.5, 1.5])
    assert weights.tolist() == pytest.approx([2.0, 1.5])


def test_without_conflict_it_is_the_sum():
    jacobian = torch.rand(4, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(load("pcgrad").combine(torch.ones(4), jacobian)[1], jacobian.sum(0))


def test_each_draw_is_one_of_the_orders_and_all_of_them_occur():
    jacobian = torch.randn(3, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    jacobian -= 1.4 * jacobian.mean(0)  # plenty of conflict
    options = [
        surgery(jacobian, orders)
        for orders in itertools.product(*(itertools.permutations([j for j in range(3) if j != i]) for i in range(3)))
    ]
    balancer, seen = load("pcgrad"), set()
    for _ in range(100):
        update = balancer.combine(torch.ones(3), jacobian)[1]
        matches = [k for k, option in enumerate(options) if torch.allclose(update, option, rtol=1e-10)]
        assert matches
        seen.add(matches[0])
    assert len(seen) == len({tuple(option.tolist()) for option in options})


def test_agrees_with_torchjd_for_two_tasks():
    torchjd = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed")
    for seed in range(20):
        jacobian = torch.randn(2, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        expected = torchjd.PCGrad()(jacobian)
        torch.testing.assert_close(load("pcgrad").combine(torch.ones(2), jacobian)[1], expected)
