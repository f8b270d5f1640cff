import math

import pytest
import torch

from mtlrun.balancers import load


def problem(seed=0, parameters=6):
    """Parameters and three positive losses of them, as functions."""
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(parameters, generator=generator, dtype=torch.float64, requires_grad=True)
    centres = torch.randn(3, parameters, generator=generator, dtype=torch.float64)
    scales = torch.tensor([1e-3, 1.0, 1e3], dtype=torch.float64)
    return shared, lambda: scales * ((shared - centres) ** 2).sum(1)


def gradients(losses, shared):
    return torch.stack([torch.autograd.grad(loss, shared, retain_graph=True)[0] for loss in losses])


def test_two_tasks_by_hand():
    """log gradients (3, 0) / 2 and (0, 4) / 0.5: lengths 1.5 and 8, and both are brought to 8."""
    jacobian = torch.tensor([[3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
    losses = torch.tensor([2.0, 0.5], dtype=torch.float64)
    weights, update = load("db_mtl", beta=0.0).combine(losses, jacobian)
    assert update.tolist() == pytest.approx([8.0, 8.0])
    assert weights.tolist() == pytest.approx([8 / 3, 2.0])
    weights, update = load("db_mtl", beta=0.75).combine(losses, jacobian)  # the average starts at zero
    assert update.tolist() == pytest.approx([2.0, 2.0])
    assert weights is None


@pytest.mark.parametrize(("beta", "beta_sigma"), [(0.0, 0.0), (0.9, 0.0), (0.5, 0.5)])
def test_follows_algorithm_1_with_autograd(beta, beta_sigma):
    shared, loss_of = problem()
    balancer = load("db_mtl", beta=beta, beta_sigma=beta_sigma)
    average = torch.zeros(3, len(shared), dtype=torch.float64)
    for k in range(1, 8):
        losses = loss_of()
        share = beta / k**beta_sigma
        average = share * average + (1 - share) * gradients((losses + 1e-8).log(), shared)
        lengths = average.norm(dim=1)
        expected = lengths.max() * (average / lengths[:, None]).sum(0)
        update = balancer.combine(losses, gradients(losses, shared))[1]
        torch.testing.assert_close(update, expected, rtol=1e-10, atol=0)
        with torch.no_grad():
            shared -= 0.01 * update


def test_heads_follow_the_log_losses():
    """Their losses weigh 1 / (L + 1e-8); a negative one has no logarithm."""
    losses = torch.tensor([2.0, 0.0, -1.0], dtype=torch.float64)
    own = load("db_mtl").own_weights(losses, ("a", "b", "c"))
    assert own.tolist() == pytest.approx([1 / (2 + 1e-8), 1e8, 0.0])


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_unit_of_a_loss_does_not_matter(beta):
    generator = torch.Generator().manual_seed(0)
    jacobian = torch.randn(3, 20, generator=generator, dtype=torch.float64)
    losses, units = torch.ones(3, dtype=torch.float64), torch.tensor([1.0, 1e-3, 1e4], dtype=torch.float64)
    plain, scaled = load("db_mtl", beta=beta), load("db_mtl", beta=beta)
    for step in range(3):
        expected = plain.combine(losses, jacobian + step)[1]
        update = scaled.combine(losses * units, (jacobian + step) * units[:, None])[1]
        torch.testing.assert_close(update, expected, rtol=1e-4, atol=0)  # 1e-8 against a loss of 1e-3


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_every_task_adds_a_vector_of_the_same_length(beta):
    jacobian = torch.diag(torch.tensor([1e-6, 1.0, 1e6], dtype=torch.float64))
    update = load("db_mtl", beta=beta).combine(torch.ones(3, dtype=torch.float64), jacobian)[1]
    assert (update / update[2]).tolist() == pytest.approx([1.0, 1.0, 1.0])


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_zero_losses_and_gradients_are_left_out(beta):
    balancer = load("db_mtl", beta=beta)
    jacobian = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 4.0]])
    for losses in ([0.0, 1.0, 1.0], [-1.0, 1.0, 1.0], [0.0, 0.0, 0.0]):
        update = balancer.combine(torch.tensor(losses), jacobian)[1]
        assert update[0] == 0
        assert 0 < update[1] < math.inf
    assert load("db_mtl", beta=beta).combine(torch.zeros(3), torch.zeros(3, 2))[1].tolist() == [0.0, 0.0]


def test_steps_are_counted_by_task():
    """A task that comes later starts with beta / 1 like the others did: its first average is (1 - 0.5) g."""
    balancer = load("db_mtl", beta=0.5, beta_sigma=1.0)
    for _ in range(3):
        balancer.combine(torch.ones(1), torch.tensor([[1.0, 0.0]]), ["a"])
    update = balancer.combine(torch.ones(1), torch.tensor([[0.0, 8.0]]), ["b"])[1]
    assert update.tolist() == pytest.approx([0.0, 4.0])


def test_opposite_gradients_of_one_length_cancel():
    row = torch.tensor([1.0, -2.0], dtype=torch.float64)
    update = load("db_mtl", beta=0.0).combine(torch.ones(2), torch.stack([row, -5 * row]))[1]
    assert update.abs().max() < 1e-12


def test_the_gradients_are_not_kept_by_reference():
    jacobian = torch.eye(2)
    balancer = load("db_mtl")
    balancer.combine(torch.ones(2), jacobian)
    kept = balancer.state_dict()["average"]["0"]
    jacobian.fill_(7)
    assert kept.tolist() == pytest.approx([0.1, 0.0])
    assert balancer.state_dict()["average"]["0"].tolist() == pytest.approx([0.1, 0.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 1.0}, r"balancer\.beta must be at least 0 and below 1, found 1\.0"),
        ({"beta": "x"}, r"balancer\.beta=x: must be a number"),
        ({"beta_sigma": -0.5}, r"balancer\.beta_sigma must be a number >= 0, found -0\.5"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        load("db_mtl", **options)
