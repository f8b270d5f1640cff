import math

import pytest
import torch

from mtlrun.balancers import load

TASKS = ("a", "b", "c")


def tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def step(balancer, before, after=None, tasks=TASKS):
    weights = balancer.combine(before, torch.eye(len(before)), tasks)[0]
    if after is not None:
        balancer.observe(after)
    return weights


def reference(steps, lr, gamma, bounds):
    """Algorithm 1 with autograd and torch.optim.Adam; yields the weights that each step uses."""
    logits = torch.zeros(len(bounds), dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([logits], lr=lr, weight_decay=gamma)
    for before, after in steps:
        losses = before.clone().requires_grad_()
        shares = torch.softmax(logits.detach(), 0)
        distance = losses - bounds + 1e-8
        total = (shares * distance.log()).sum() / (shares / distance).sum().detach()
        yield torch.autograd.grad(total, losses)[0]
        change = (before - bounds + 1e-8).log() - (after - bounds + 1e-8).log()
        adam.zero_grad()
        (torch.softmax(logits, 0) * change).sum().backward()
        adam.step()


def course(steps):
    """Losses before and after each step; the first task gains fast, the last one worsens."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        before = torch.rand(3, generator=generator, dtype=torch.float64) + tensor(1, 10, 0.2)
        yield before, before * tensor(0.9, 0.99, 1.01)


@pytest.mark.parametrize("gamma", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("bounds", [{}, {"a": 0.5, "c": -1.0}])
def test_follows_algorithm_1(gamma, bounds):
    steps = list(course(30))
    balancer = load("famo", gamma=gamma, min_losses=bounds)
    expected = reference(steps, 0.025, gamma, tensor(*[bounds.get(task, 0.0) for task in TASKS]))
    for (before, after), weights in zip(steps, expected):
        torch.testing.assert_close(step(balancer, before, after), weights, rtol=1e-9, atol=0)


def test_agrees_with_torchjd():
    scalarization = pytest.importorskip("torchjd.scalarization", reason="torchjd has no scalarization")
    other, balancer = scalarization.FAMO(3).double(), load("famo")
    for before, after in course(30):
        losses = before.clone().requires_grad_()
        (expected,) = torch.autograd.grad(other(losses), losses)
        torch.testing.assert_close(step(balancer, before, after), expected)
        other.update(after)


def test_first_weights_by_hand():
    """z is uniform: w is proportional to 1 / L."""
    assert step(load("famo"), tensor(1, 2, 4)).tolist() == pytest.approx([4 / 7, 2 / 7, 1 / 7])


def test_first_update_by_hand():
    """Adam's first step is lr in the direction of the sign: a gained more than the mean, b and c less."""
    balancer = load("famo", lr=0.1)
    step(balancer, tensor(1, 1, 1), tensor(0.5, 1, 1))
    powers = [math.exp(-0.1), math.exp(0.1), math.exp(0.1)]
    assert step(balancer, tensor(1, 1, 1)).tolist() == pytest.approx([power / sum(powers) for power in powers])


def test_without_observing_the_logits_stay():
    balancer = load("famo")
    first = step(balancer, tensor(1, 2, 4))
    step(balancer, tensor(3, 0.1, 7))
    assert torch.equal(step(balancer, tensor(1, 2, 4)), first)


def test_the_slower_task_gains_weight():
    balancer = load("famo")
    for _ in range(50):
        weights = step(balancer, tensor(1, 1, 1), tensor(0.5, 0.9, 0.9))
    assert weights[0] < weights[1]
    assert weights[1] == pytest.approx(weights[2].item())


def test_decay_brings_equal_logits_back():
    balancer = load("famo", gamma=0.1)
    for _ in range(10):
        step(balancer, tensor(1, 1, 1), tensor(0.5, 1, 1))
    for _ in range(600):
        weights = step(balancer, tensor(1, 1, 1), tensor(0.9, 0.9, 0.9))
    assert weights.tolist() == pytest.approx([1 / 3] * 3, abs=2e-3)


@pytest.mark.parametrize("scale", [1e-4, 1e6])
def test_a_common_unit_of_the_losses_changes_nothing(scale):
    one, other = load("famo", epsilon=1e-12), load("famo", epsilon=1e-12)
    for before, after in course(10):
        torch.testing.assert_close(
            step(one, before, after), step(other, before * scale, after * scale), rtol=1e-6, atol=0
        )


def test_weights_add_up_to_one():
    balancer = load("famo")
    for before, after in course(5):
        assert step(balancer, before, after).sum() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("losses", [tensor(0, 1, 2), tensor(0, 0, 0), tensor(1e-30, 1e30, 1), tensor(-1, 1, 1)])
def test_losses_of_zero_or_below_the_bound_stay_finite(losses):
    balancer = load("famo")
    for after in (losses, torch.zeros_like(losses), losses.abs()):
        assert torch.isfinite(step(balancer, losses, after)).all()
    assert torch.isfinite(step(balancer, tensor(1, 2, 3))).all()


def test_absent_tasks_keep_their_logits():
    balancer = load("famo", gamma=0.0)
    step(balancer, tensor(1, 1, 1), tensor(0.5, 1, 1.5))
    before = step(balancer, tensor(1, 1, 1))
    step(balancer, tensor(1, 1), tensor(1, 1), ("c", "a"))  # equal changes: only Adam's momentum moves a and c
    after = step(balancer, tensor(1, 1, 1))
    kept = load("famo", gamma=0.0)
    step(kept, tensor(1, 1, 1), tensor(0.5, 1, 1.5))
    assert not torch.equal(before, after)
    logits = [one._logits.get(TASKS, before) for one in (kept, balancer)]
    assert logits[0][1] == logits[1][1]
    assert logits[0][0] != logits[1][0]


def test_observed_tasks_may_be_named():
    one, other = load("famo"), load("famo")
    for balancer in (one, other):
        step(balancer, tensor(1, 2, 3))
    one.observe(tensor(0.5, 2, 4))
    other.observe(tensor(4, 0.5, 2), ("c", "a", "b"))
    torch.testing.assert_close(step(one, tensor(1, 1, 1)), step(other, tensor(1, 1, 1)))
    with pytest.raises(AssertionError, match="not in the last step"):
        one.observe(tensor(1), ("d",))
    with pytest.raises(AssertionError, match="before the first step"):
        load("famo").observe(tensor(1))


@pytest.mark.parametrize("after", [0, 1, 7])
def test_goes_on_where_it_was_saved(after):
    steps = list(course(12))
    straight, first, second = load("famo"), load("famo"), load("famo")
    expected = [step(straight, *pair) for pair in steps]
    for pair in steps[:after]:
        step(first, *pair)
    second.load_state_dict(first.state_dict())
    for pair, weights in zip(steps[after:], expected[after:]):
        assert torch.equal(step(second, *pair), weights)


def test_names_are_checked_before_training():
    with pytest.raises(ValueError, match=r"balancer\.min_losses"):
        load("famo", min_losses={"lane": 1.0}).check(TASKS)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"lr": 0}, r"balancer\.lr must be a number > 0"),
        ({"lr": "x"}, r"balancer\.lr=x: must be a number"),
        ({"gamma": -1}, r"balancer\.gamma must be a number >= 0, found -1"),
        ({"epsilon": 0.0}, r"balancer\.epsilon must be a number > 0"),
        ({"min_losses": {"a": "x"}}, r"balancer\.min_losses\.a must be a number, found 'x'"),
    ],
)
def test_bad_options(option, message):
    with pytest.raises(ValueError, match=message):
        load("famo", **option)
