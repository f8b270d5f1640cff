import pytest
import torch

from mtlrun.balancers import load


def test_first_weights_are_1():
    assert load("imtl_l").combine(torch.tensor([3.0, 0.1]), torch.eye(2))[0].tolist() == [1.0, 1.0]


def test_follows_torch_adam_on_the_paper_objective():
    """The same s as torch.optim.Adam with autograd on exp(s) L - s (Eq. 6)."""
    balancer = load("imtl_l", lr=0.1)
    s = torch.zeros(2, requires_grad=True, dtype=torch.float64)
    adam = torch.optim.Adam([s], lr=0.1)
    for step in range(20):
        losses = torch.tensor([2.0 + step, 0.3], dtype=torch.float64)
        weights, _ = balancer.combine(losses, torch.eye(2, dtype=torch.float64))
        torch.testing.assert_close(weights, torch.exp(s.detach()))
        adam.zero_grad()
        (losses * torch.exp(s) - s).sum().backward()
        adam.step()


def test_brings_scaled_losses_to_1():
    balancer, losses = load("imtl_l"), torch.tensor([0.05, 1.0, 30.0], dtype=torch.float64)
    for _ in range(2000):
        weights, _ = balancer.combine(losses, torch.eye(3, dtype=torch.float64))
    assert (weights * losses).tolist() == pytest.approx([1.0, 1.0, 1.0], abs=1e-3)


def test_a_loss_that_stays_at_0_keeps_its_weight_finite():
    balancer = load("imtl_l", lr=1.0)
    for _ in range(200):
        weights, _ = balancer.combine(torch.zeros(1), torch.eye(1))
    assert torch.isfinite(weights).all()


@pytest.mark.parametrize("lr", [0, -0.1, "fast"])
def test_bad_rate(lr):
    with pytest.raises(ValueError, match=r"balancer\.lr.* must be a number"):
        load("imtl_l", lr=lr)
