import math

import pytest
import torch

from mtlrun.balancers import load

TASKS = ("a", "b", "c")
LOSSES = torch.ones(3, dtype=torch.float64)


def draws(balancer, steps, tasks=TASKS):
    losses = torch.ones(len(tasks), dtype=torch.float64)
    return torch.stack([balancer.combine(losses, torch.eye(len(tasks)), tasks)[0] for _ in range(steps)])


@pytest.mark.parametrize("distribution", ["normal", "dirichlet"])
@pytest.mark.parametrize("tasks", [1, 2, 40])
def test_positive_and_add_up_to_the_number_of_tasks(distribution, tasks):
    drawn = draws(load("rlw", distribution=distribution), 20, tuple(str(task) for task in range(tasks)))
    assert (drawn > 0).all()
    torch.testing.assert_close(drawn.sum(1), torch.full((20,), float(tasks), dtype=torch.float64))


def test_the_softmax_of_a_standard_normal():
    """log(w_a / w_b) is the difference of two standard normals: mean 0, variance 2, kurtosis 3."""
    drawn = draws(load("rlw"), 6000)
    ratio = (drawn[:, 0] / drawn[:, 1]).log()
    assert ratio.mean().abs() < 5 * math.sqrt(2 / 6000)
    assert ratio.var() == pytest.approx(2, rel=0.1)
    assert ((ratio / ratio.std()) ** 4).mean() == pytest.approx(3, rel=0.15)


def test_uniform_on_the_simplex():
    """A coordinate of Dirichlet(1, 1, 1) has mean 1/3, variance 1/18, and is below x with probability 1 - (1 - x)^2."""
    share = draws(load("rlw", distribution="dirichlet"), 6000)[:, 0] / 3
    assert share.mean() == pytest.approx(1 / 3, rel=0.03)
    assert share.var() == pytest.approx(1 / 18, rel=0.08)
    for x in (0.1, 0.5, 0.8):
        assert (share < x).double().mean() == pytest.approx(1 - (1 - x) ** 2, abs=0.03)


def test_fresh_at_every_step_and_unchanged_by_asking():
    balancer = load("rlw")
    first = balancer.weights(LOSSES, TASKS)
    assert torch.equal(balancer.weights(LOSSES, TASKS), first)
    balancer.learn(LOSSES, TASKS)
    assert not torch.equal(balancer.weights(LOSSES, TASKS), first)


def test_seeds_and_steps_are_independent_streams():
    """Seed 1 at its first step is not seed 0 at its second."""
    streams = [draws(load("rlw", seed=seed), 5) for seed in (0, 1, -1)]
    rows = torch.cat(streams)
    assert len({tuple(row.tolist()) for row in rows}) == len(rows)
    assert torch.equal(draws(load("rlw", seed=1), 5), streams[1])


def test_the_saved_seed_goes_on_whatever_the_new_one():
    straight = draws(load("rlw", seed=3), 6)
    first, second = load("rlw", seed=3), load("rlw", seed=8)
    draws(first, 3)
    second.load_state_dict(first.state_dict())
    assert torch.equal(draws(second, 3), straight[3:])


def test_by_name_with_tasks_absent():
    one, other = load("rlw"), load("rlw")
    assert torch.equal(draws(one, 1, ("c", "a")), draws(other, 1, ("a", "c")).flip(1))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"distribution": "norml"}, "did you mean 'normal'"),
        ({"seed": 0.5}, r"balancer\.seed=0\.5: must be a whole number"),
    ],
)
def test_bad_options(option, message):
    with pytest.raises(ValueError, match=message):
        load("rlw", **option)
