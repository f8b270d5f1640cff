import itertools

import numpy as np
import pytest
import torch

from mtlrun.balancers import load
from mtlrun.balancers.gradvac import vaccinate
from mtlrun.balancers.per_pair import PerPair


def algorithm_1(jacobian, targets, orders, beta):
    """On the gradients themselves: (sum of the corrected gradients, next targets)."""
    total, targets = torch.zeros_like(jacobian[0]), targets.clone()
    for i, order in enumerate(orders):
        g = jacobian[i].clone()
        for j in order:
            phi, target = torch.cosine_similarity(g, jacobian[j], dim=0), targets[i, j].clone()
            if phi < target:
                gap = target * (1 - phi**2).sqrt() - phi * (1 - target**2).sqrt()
                g = g + g.norm() * gap / (jacobian[j].norm() * (1 - target**2).sqrt()) * jacobian[j]
            targets[i, j] = (1 - beta) * target + beta * phi
        total = total + g
    return total, targets


def rows(tasks, parameters, seed=0):
    jacobian = torch.randn(tasks, parameters, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return jacobian - 1.4 * jacobian.mean(0)  # plenty of conflict


def ones(tasks):
    return torch.ones(tasks, dtype=torch.float64)


def test_two_tasks_by_hand():
    """g = (1, 0), (-1, 1): first as in PCGrad, (1/2, 1/2) and (0, 1); then both targets are beta cos 135 degrees."""
    jacobian = torch.tensor([[1.0, 0.0], [-1.0, 1.0]], dtype=torch.float64)
    balancer = load("gradvac", beta=0.5)
    assert balancer.combine(ones(2), jacobian)[1].tolist() == pytest.approx([0.5, 1.5])
    targets = balancer.state_dict()["targets"]["values"]
    assert targets.tolist() == [[0.0, pytest.approx(-(2**-0.5) / 2)], [pytest.approx(-(2**-0.5) / 2), 0.0]]


def test_a_correction_reaches_its_target():
    unit = np.array([[1.0, -0.6], [-0.6, 1.0]])
    coefficients = vaccinate(unit, np.full((2, 2), 0.3), np.array([[1], [0]]), beta=0.1)
    inner = coefficients @ unit
    assert inner[0, 1] / np.sqrt(inner[0] @ coefficients[0]) == pytest.approx(0.3)


@pytest.mark.parametrize("beta", [0.0, 0.01, 0.5, 1.0])
def test_each_step_follows_algorithm_1_for_one_of_the_orders(beta):
    balancer, targets, seen = load("gradvac", beta=beta), torch.zeros(3, 3, dtype=torch.float64), set()
    choices = [list(itertools.permutations([j for j in range(3) if j != i])) for i in range(3)]
    for step in range(25):
        jacobian = rows(3, 8, seed=step)
        update = balancer.combine(ones(3), jacobian)[1]
        options = [algorithm_1(jacobian, targets, orders, beta) for orders in itertools.product(*choices)]
        matches = [k for k, (total, _) in enumerate(options) if torch.allclose(update, total, rtol=1e-8)]
        assert matches
        found = balancer.state_dict()["targets"]["values"]
        assert any(torch.allclose(found, options[k][1]) for k in matches)
        targets = found
        seen.add(matches[0])
    assert len(seen) > 3


def test_with_beta_0_two_tasks_are_pcgrad():
    balancer = load("gradvac", beta=0.0)
    for seed in range(10):
        jacobian = torch.randn(2, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        torch.testing.assert_close(balancer.combine(ones(2), jacobian)[1], load("pcgrad").combine(ones(2), jacobian)[1])


def test_agrees_with_torchjd_for_two_tasks():
    torchjd = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed")
    ours, theirs = load("gradvac", beta=0.5), torchjd.GradVac(beta=0.5, eps=0.0)
    for seed in range(20):
        jacobian = torch.randn(2, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        torch.testing.assert_close(ours.combine(ones(2), jacobian)[1], theirs(jacobian))


def test_targets_move_without_a_correction():
    balancer = load("gradvac", beta=0.1)
    jacobian = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    for _ in range(2):
        torch.testing.assert_close(balancer.combine(ones(2), jacobian)[1], jacobian.sum(0))
    assert balancer.state_dict()["targets"]["values"][0, 1] == pytest.approx(2**-0.5 * 0.19)


@pytest.mark.parametrize("decades", [3, 6])
def test_lengths_matter_only_in_the_sum(decades):
    """The same corrections of the unit gradients, whatever their lengths."""
    jacobian, scale = rows(4, 9), 10 ** torch.linspace(-decades, decades, 4, dtype=torch.float64)
    plain, scaled = load("gradvac"), load("gradvac")
    for _ in range(3):
        plain.combine(ones(4), jacobian)
        scaled.combine(ones(4), jacobian * scale[:, None])
    torch.testing.assert_close(
        scaled.state_dict()["targets"]["values"], plain.state_dict()["targets"]["values"], rtol=1e-9, atol=1e-12
    )


def test_the_order_of_the_rows_does_not_matter():
    jacobian, order = rows(5, 9), [3, 0, 4, 1, 2]
    straight, turned = load("gradvac", beta=0.3), load("gradvac", beta=0.3)
    for _ in range(3):
        weights, _ = straight.combine(ones(5), jacobian, list("abcde"))
        other, _ = turned.combine(ones(5), jacobian[order], [list("abcde")[i] for i in order])
        torch.testing.assert_close(other, weights[order])


@pytest.mark.parametrize("beta", [0.01, 0.9, 1.0])
@pytest.mark.parametrize("second", [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [-1e6, 1e-6]])
def test_stays_finite(beta, second):
    """Identical gradients drive the target to 1, where no correction could reach it."""
    balancer = load("gradvac", beta=beta)
    for first in [[1.0, 0.0]] * 40 + [[1.0, 1e-3], [0.0, 1.0], [0.0, 0.0]]:
        jacobian = torch.tensor([first, second, [0.5, 0.5]], dtype=torch.float64)
        weights, _ = balancer.combine(ones(3), jacobian)
        assert torch.isfinite(weights).all()


def test_a_zero_gradient_changes_neither_the_others_nor_its_targets():
    balancer, pair = load("gradvac"), load("gradvac")
    balancer.combine(ones(3), rows(3, 9), ("a", "b", "c"))
    pair.load_state_dict(balancer.state_dict())
    before = balancer.state_dict()["targets"]["values"]
    jacobian = torch.tensor([[1.0, 0.0], [0.0, 0.0], [-1.0, 1.0]], dtype=torch.float64)
    weights, update = balancer.combine(ones(3), jacobian, ("a", "b", "c"))
    assert weights[1] == 1
    torch.testing.assert_close(update, pair.combine(ones(2), jacobian[[0, 2]], ("a", "c"))[1])
    after = balancer.state_dict()["targets"]["values"]
    assert torch.equal(after[1], before[1])
    assert torch.equal(after[:, 1], before[:, 1])
    assert after[0, 2] != before[0, 2]


def test_pairs_are_kept_by_name():
    pairs = PerPair(0.5)
    pairs.set(("a", "b"), torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64))
    assert pairs.get(("c", "b", "a")).tolist() == [[0.5, 0.5, 0.5], [0.5, 4.0, 3.0], [0.5, 2.0, 1.0]]
    other = PerPair(0.5)
    other.load_state_dict(pairs.state_dict())
    pairs.set(("b",), torch.tensor([[9.0]], dtype=torch.float64))
    assert other.get(("b", "a")).tolist() == [[4.0, 3.0], [2.0, 1.0]]
    assert pairs.get(("b",)).item() == 9.0


@pytest.mark.parametrize("beta", [-0.1, 1.5, "half"])
def test_bad_beta(beta):
    with pytest.raises(ValueError, match=r"balancer\.beta.* must be a number"):
        load("gradvac", beta=beta)
