import pytest
import torch

from mtlrun.balancers import load


def reference(alpha, lr, lengths, losses_by_step):
    """Algorithm 1 with autograd and torch.optim.Adam; yields the weights that each step uses."""
    weights = torch.ones(len(lengths), dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([weights], lr=lr)
    first = losses_by_step[0]
    for losses in losses_by_step:
        yield weights.detach().clone()
        norms = weights * lengths
        rate = losses / first
        target = (norms.mean() * (rate / rate.mean()) ** alpha).detach()
        adam.zero_grad()
        (norms - target).abs().sum().backward()
        adam.step()
        with torch.no_grad():
            weights.mul_(len(lengths) / weights.sum())


@pytest.mark.parametrize("alpha", [0.0, 1.5])
def test_follows_algorithm_1(alpha):
    lengths = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    steps = [torch.tensor([2.0 - 0.02 * k, 1.0, 3.0 - 0.1 * k], dtype=torch.float64) for k in range(20)]
    balancer = load("gradnorm", alpha=alpha, lr=0.02)
    for losses, expected in zip(steps, reference(alpha, 0.02, lengths, steps)):
        weights, _ = balancer.combine(losses, torch.diag(lengths))
        torch.testing.assert_close(weights, expected)


def test_equal_rates_bring_equal_norms():
    lengths = torch.tensor([0.5, 2.0], dtype=torch.float64)
    balancer = load("gradnorm", alpha=0.0, lr=0.005)
    for _ in range(1500):
        weights, _ = balancer.combine(torch.ones(2, dtype=torch.float64), torch.diag(lengths))
    assert weights.sum() == pytest.approx(2.0)
    assert (weights * lengths).tolist() == pytest.approx([0.8, 0.8], abs=0.02)


def test_weights_stay_positive():
    balancer = load("gradnorm", lr=5.0)
    for _ in range(20):
        weights, _ = balancer.combine(torch.ones(2), torch.diag(torch.tensor([1.0, 1e4])))
        assert (weights > 0).all()


def test_bad_rate():
    with pytest.raises(ValueError, match=r"balancer\.lr"):
        load("gradnorm", lr=0)
