import math

import pytest
import torch

from mtlrun.balancers import load

TASKS = ("a", "b", "c")


def tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def weights(balancer, losses, tasks=TASKS):
    values = torch.as_tensor(losses, dtype=torch.float64)
    return balancer.combine(values, torch.eye(len(values)), tasks)[0]


def epoch(balancer, *steps, tasks=TASKS):
    for losses in steps:
        found = weights(balancer, losses, tasks)
    balancer.end_epoch()
    return found


def derivative(total, losses):
    values = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(total(values), values)[0]


def test_by_hand():
    """lambda = 1/2, mu = 1/2, L - z = (2 ln 3, 0): softmax of (2 ln 3, 0) is (0.9, 0.1), halved."""
    found = weights(load("stch", mu=0.5, ideal={"b": 1.0}), [2 * math.log(3), 1.0], ("a", "b"))
    assert found.tolist() == pytest.approx([0.45, 0.05])


@pytest.mark.parametrize("mu", [0.01, 0.5, 10.0])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_derivative_of_the_scalarization(mu, scale):
    losses = [0.7 * scale, 0.2 * scale, 0.8 * scale]
    preference, ideal = tensor(0.25, 0.5, 0.25), tensor(0.1, 0, 0.2)
    expected = derivative(lambda L: mu * torch.logsumexp(preference * (L - ideal) / mu, 0), losses)
    balancer = load("stch", mu=mu, task_weights={"a": 3, "b": 6, "c": 3}, ideal={"a": 0.1, "c": 0.2})
    torch.testing.assert_close(weights(balancer, losses), expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("mu", [0.05, 1.0])
def test_agrees_with_torchjd(mu):
    scalarization = pytest.importorskip("torchjd.scalarization", reason="torchjd has no scalarization")
    losses = [0.7, 2.0, 1.9]
    torch.testing.assert_close(weights(load("stch", mu=mu), losses), derivative(scalarization.STCH(mu), losses))


def test_small_mu_is_the_worst_task_and_large_mu_the_mean():
    losses = [0.5, 1e30, 1e-30]
    assert weights(load("stch", mu=1e-200), losses).tolist() == pytest.approx([0, 1 / 3, 0])
    assert weights(load("stch", mu=1e9), [0.5, 2.0, 1.0]).tolist() == pytest.approx([1 / 9] * 3)


def test_preferences_are_those_of_the_active_tasks():
    balancer = load("stch", mu=1e9, task_weights={"a": 3})
    assert weights(balancer, [1.0, 1.0], ("c", "a")).tolist() == pytest.approx([0.125, 0.375])
    assert weights(balancer, [1.0], ("a",)).tolist() == pytest.approx([1.0])


def test_recipe_sums_the_logs_until_the_nadir_is_known():
    balancer = load("stch", form="log_ratios", warmup=2, mu=0.5)
    assert epoch(balancer, [9.0, 9.0, 9.0], [4.0, 2.0, 0.5]).tolist() == [0.25, 0.5, 2.0]
    assert epoch(balancer, [1.0, 2.0, 8.0], [3.0, 2.0, 2.0], [2.0, 5.0, 2.0]).tolist() == [0.5, 0.2, 0.5]
    nadir = tensor(2, 3, 4)  # the means of the second epoch
    for losses in ([1.0, 3.0, 2.0], [0.5, 0.1, 3.0]):
        expected = derivative(lambda L: 3 * 0.5 * torch.logsumexp((L / nadir).log() / 0.5, 0), losses)
        torch.testing.assert_close(weights(balancer, losses), expected)
    balancer.end_epoch()
    torch.testing.assert_close(weights(balancer, losses), expected)  # the nadir stays


def test_recipe_with_mu_1_divides_by_the_nadir():
    """w = T (L/n) / sum(L/n) / L = T / (n sum(L/n))."""
    balancer = load("stch", form="log_ratios", warmup=1)
    epoch(balancer, [2.0, 8.0], tasks=("a", "b"))
    assert weights(balancer, [1.0, 4.0], ("a", "b")).tolist() == pytest.approx([1.0, 0.25])


def test_recipe_is_free_of_units():
    one, other = (load("stch", form="log_ratios", warmup=1, mu=0.3) for _ in range(2))
    factors = tensor(1e-6, 1, 1e6)
    for step in range(4):
        losses = torch.rand(3, generator=torch.Generator().manual_seed(step), dtype=torch.float64) + 0.1
        first, second = weights(one, losses), weights(other, losses * factors)
        torch.testing.assert_close(first * losses, second * losses * factors)
        one.end_epoch()
        other.end_epoch()


def test_recipe_gives_a_late_task_its_first_loss_as_nadir():
    balancer = load("stch", form="log_ratios", warmup=1)
    epoch(balancer, [2.0, 8.0], tasks=("a", "b"))
    assert weights(balancer, [2.0, 8.0, 5.0]).tolist() == pytest.approx([1 / 2, 1 / 8, 1 / 5])
    torch.testing.assert_close(weights(balancer, [2.0, 8.0, 10.0]), tensor(3 / 8, 3 / 32, 3 / 20))


@pytest.mark.parametrize("warmup", [1, 3])
def test_recipe_with_losses_of_zero(warmup):
    """The nadirs are 1/2 and 1 and, of the task that only had zeros, its first positive loss."""
    balancer = load("stch", form="log_ratios", warmup=warmup)
    for _ in range(warmup):
        assert epoch(balancer, [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]).tolist() == [0.0, 0.0, 0.0]
    assert weights(balancer, [1.0, 0.0, 0.0]).tolist() == pytest.approx([3.0, 0.0, 0.0])
    assert weights(balancer, [0.5, 1.0, 4.0]).tolist() == pytest.approx([2.0, 1.0, 0.25])


@pytest.mark.parametrize("after", [0, 2, 3, 5, 7])
def test_recipe_goes_on_where_it_was_saved(after):
    def step(balancer, index):
        found = weights(balancer, [1.0 + index, 2.0, 1.0 / (1 + index)])
        if index % 2:
            balancer.end_epoch()
        return found

    straight, first, second = (load("stch", form="log_ratios", warmup=2) for _ in range(3))
    expected = [step(straight, index) for index in range(10)]
    for index in range(after):
        step(first, index)
    second.load_state_dict(first.state_dict())
    assert all(torch.equal(step(second, index), expected[index]) for index in range(after, 10))


def test_names_are_checked_before_training():
    with pytest.raises(ValueError, match=r"balancer\.ideal"):
        load("stch", ideal={"lane": 1.0}).check(TASKS)
    with pytest.raises(ValueError, match=r"balancer\.task_weights"):
        load("stch", task_weights={"lane": 1.0}).check(TASKS)
    load("stch", ideal={"a": 1.0}).check(TASKS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mu": 0}, r"balancer\.mu must be a number > 0, found 0"),
        ({"form": "log"}, "no balancer.form 'log'"),
        ({"task_weights": {"a": -1}}, r"balancer\.task_weights\.a must be a number > 0"),
        ({"warmup": 0}, r"balancer\.warmup must be a whole number"),
        ({"warmup": 1.5}, r"balancer\.warmup=1\.5: must be a whole number"),
        ({"form": "log_ratios", "ideal": {"a": 1.0}}, r"balancer\.ideal has no meaning with balancer\.form=log_ratios"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        load("stch", **options)
