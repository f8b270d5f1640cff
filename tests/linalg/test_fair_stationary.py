"""Rows that nearly cancel: solved as far as double precision carries it, and nothing jumps where it ends."""

import numpy as np
import pytest
import torch
from sampling import sampled

from mtlrun.balancers import load
from mtlrun.linalg.fair import fair_solution

POWERS = [0.5, 1.0, 2.0]


def cancelling(left, seed=0, others=0):
    """Three rows that add up to `left` of their size, and others at random: [3 + others, 50]."""
    draw = np.random.default_rng(seed)
    jacobian = draw.standard_normal((3, 50))
    jacobian[2] = left * draw.standard_normal(50) - jacobian[0] - jacobian[1]
    return np.concatenate([jacobian, draw.standard_normal((others, 50))])


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.parametrize(("left", "accuracy"), [(1e-2, 1e-9), (1e-4, 1e-5), (1e-6, 5e-2)])
def test_solved_as_it_stands(power, others, left, accuracy):
    """What a Gram matrix loses by rounding, 1e-16 of left^2, is all that the solution lacks."""
    jacobian = cancelling(left, others=others)
    found = fair_solution(jacobian @ jacobian.T, power)
    gains = jacobian @ (found.weights @ jacobian)
    np.testing.assert_allclose(gains * found.weights**power, 1.0, rtol=accuracy)
    assert not found.guarded


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("left", [0.0, 1e-9, 1e-7])
def test_the_last_bits_decide_nothing_at_a_stationary_point(power, left):
    jacobian = cancelling(left, others=1)
    gram = jacobian @ jacobian.T
    found = fair_solution(gram, power)
    assert found.guarded
    for seed in range(8):
        noise = np.random.default_rng(seed).uniform(-2e-16, 2e-16, gram.shape)
        again = fair_solution(gram * (1 + noise + noise.T), power)
        np.testing.assert_allclose(again.weights, found.weights, rtol=1e-2)


@pytest.mark.parametrize("power", sampled(POWERS, POWERS[:1]))
def test_the_guard_comes_in_without_a_jump(power):
    """From solved to guarded in steps of 1 %: each changes the weights by less than a factor of e."""
    lefts = np.geomspace(1e-6, 1e-7, 231)
    found = [fair_solution(gram @ gram.T, power) for gram in map(cancelling, lefts)]
    sizes = np.log([np.linalg.norm(solution.weights) for solution in found])
    assert (found[0].guarded, found[-1].guarded) == (False, True)
    assert np.abs(np.diff(sizes)).max() < 1.0
    assert sizes[-1] < sizes[0]


@pytest.mark.parametrize("name", ["nash_mtl", "fairgrad"])
def test_guarded_steps_are_counted(name):
    balancer = load(name)
    for left in (1e-2, 0.0, 0.0):
        balancer.combine(torch.ones(3), torch.from_numpy(cancelling(left)))
    assert (balancer.guarded, balancer.fallbacks) == (2, 0)
    fresh = load(name)
    fresh.load_state_dict(balancer.state_dict())
    assert fresh.guarded == 2
