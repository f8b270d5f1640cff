import pytest
import torch

from mtlrun.balancers import load


def rows(tasks, parameters, seed):
    return torch.randn(tasks, parameters, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_step_by_hand():
    """G w + rho w = (0.55, 2.05) at w = (1/2, 1/2); w - 0.1 of it is (0.445, 0.295), 0.13 each short of the simplex."""
    jacobian = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    weights, update = load("modo").combine(torch.ones(2), jacobian)
    assert weights.tolist() == pytest.approx([0.575, 0.425])
    assert update.tolist() == pytest.approx([0.575, 0.85])


def test_two_batches_move_the_weights_and_the_third_is_combined():
    """Batches (1, 0), (0, 1) and (2, 0), (0, -1): J_1 J_2^T = diag(2, -1), so w - 0.1 diag(2, -1) w = (0.4, 0.55)."""
    first, second = torch.eye(2, dtype=torch.float64), torch.tensor([[2.0, 0.0], [0.0, -1.0]], dtype=torch.float64)
    third = rows(2, 2, 0)
    balancer = load("modo", rho=0.0)
    assert balancer.batches == 3
    weights, update = balancer.combine(torch.ones(2), torch.cat([first, second, third]))
    assert weights.tolist() == pytest.approx([0.425, 0.575])
    torch.testing.assert_close(update, weights @ third)


def projected(point):
    """On the simplex, by bisection on the threshold."""
    low, high = point.min() - 1, point.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if (point - middle).clamp(min=0).sum() > 1 else (low, middle)
    return (point - low).clamp(min=0)


def test_follows_the_algorithm():
    balancer, weights = load("modo", gamma=0.02, rho=0.3), torch.full((4,), 0.25, dtype=torch.float64)
    for step in range(10):
        first, second, third = (rows(4, 20, 10 * step + k) for k in range(3))
        weights = projected(weights - 0.02 * (first @ (second.T @ weights) + 0.3 * weights))
        found, _ = balancer.combine(torch.ones(4), torch.cat([first, second, third]))
        torch.testing.assert_close(found, weights)


def test_agrees_with_torchjd():
    torchjd = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed")
    balancer, other = load("modo", gamma=0.01, rho=0.1), torchjd.MoDoWeighting(gamma=0.01, rho=0.1)
    for step in range(10):
        first, second, third = (rows(5, 20, 10 * step + k) for k in range(3))
        found, _ = balancer.combine(torch.ones(5), torch.cat([first, second, third]))
        torch.testing.assert_close(found, other(first @ second.T))


def test_settles_at_the_min_norm_weights():
    jacobian = rows(4, 20, 3)
    balancer = load("modo", gamma=0.02, rho=0.0)
    for _ in range(500):
        weights, _ = balancer.combine(torch.ones(4), jacobian)
    torch.testing.assert_close(weights, load("mgda").combine(torch.ones(4), jacobian)[0], atol=1e-9, rtol=0)


def test_strong_pull_keeps_the_weights_equal():
    weights, _ = load("modo", gamma=1e-3, rho=1e3).combine(torch.ones(3), rows(3, 9, 0))
    torch.testing.assert_close(weights, torch.full((3,), 1 / 3, dtype=torch.float64), atol=1e-2, rtol=0)


def test_absent_tasks_keep_their_share():
    balancer = load("modo", gamma=0.05)
    balancer.combine(torch.ones(3), rows(3, 9, 0), ("a", "b", "c"))
    before = balancer.state_dict()["shares"]["values"].clone()
    balancer.combine(torch.ones(2), rows(2, 9, 1), ("c", "b"))
    after = balancer.state_dict()["shares"]["values"]
    assert after[0] == before[0]
    assert after.sum() == pytest.approx(float(before.sum()))


@pytest.mark.parametrize(("option", "value"), [("gamma", -0.1), ("rho", float("inf")), ("batches", 2)])
def test_bad_options(option, value):
    with pytest.raises(ValueError, match=rf"balancer\.{option} must be .*, found {value}"):
        load("modo", **{option: value})
