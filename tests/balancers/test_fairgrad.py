import pytest
import torch

from mtlrun.balancers import load

ALPHAS = [0.5, 1.0, 2.0, 5.0]


def combine(jacobian, alpha):
    return load("fairgrad", alpha=alpha).combine(torch.ones(len(jacobian), dtype=torch.float64), jacobian)


def rows(tasks, parameters, seed=0):
    return torch.randn(tasks, parameters, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_orthogonal_gradients_by_hand():
    """alpha = 2 and G = diag(4, 64): 4 w = w^(-1/2) gives w = 4^(-2/3), and 64 w = w^(-1/2) gives w = 1/16."""
    weights, _ = combine(torch.diag(torch.tensor([2.0, 8.0], dtype=torch.float64)), 2.0)
    assert weights.tolist() == pytest.approx([4 ** (-2 / 3), 1 / 16])


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize(("tasks", "parameters"), [(1, 4), (3, 50), (10, 12), (40, 60)])
def test_equation_4(alpha, tasks, parameters):
    jacobian = rows(tasks, parameters) - 0.3
    weights, update = combine(jacobian, alpha)
    torch.testing.assert_close(jacobian @ update, weights ** (-1 / alpha), rtol=1e-9, atol=0)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_equation_4_for_lengths_from_1e_4_to_1e4(alpha):
    jacobian = rows(5, 40).abs() * torch.tensor([[1e-4], [1e-2], [1.0], [1e2], [1e4]], dtype=torch.float64)
    weights, update = combine(jacobian, alpha)
    torch.testing.assert_close(jacobian @ update, weights ** (-1 / alpha), rtol=1e-9, atol=0)


def test_alpha_1_is_nash_mtl():
    losses, jacobian = torch.ones(6, dtype=torch.float64), rows(6, 20)
    # one function, called alike
    assert torch.equal(combine(jacobian, 1.0)[0], load("nash_mtl").combine(losses, jacobian)[0])


def test_a_small_alpha_is_the_plain_sum():
    weights, _ = combine(rows(3, 20), 1e-4)
    assert weights.tolist() == pytest.approx([1.0, 1.0, 1.0], abs=1e-3)


def test_a_large_alpha_makes_the_smallest_gain_larger():
    jacobian = rows(4, 9) * torch.tensor([[0.1], [1.0], [1.0], [5.0]], dtype=torch.float64)
    gains = [jacobian @ torch.nn.functional.normalize(combine(jacobian, alpha)[1], dim=0) for alpha in (0.5, 1, 2, 5)]
    assert [gain.min().item() for gain in gains] == sorted(gain.min().item() for gain in gains)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scaling_all_gradients(alpha, scale):
    jacobian = rows(4, 9)
    expected = combine(jacobian, alpha)[1] * scale ** ((1 - alpha) / (1 + alpha))
    torch.testing.assert_close(combine(jacobian * scale, alpha)[1], expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_permuting_tasks_permutes_the_weights(alpha):
    jacobian, order = rows(5, 9), [3, 0, 4, 1, 2]
    torch.testing.assert_close(combine(jacobian[order], alpha)[0], combine(jacobian, alpha)[0][order])


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_opposite_identical_and_zero_gradients(alpha):
    jacobian = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    weights, update = combine(jacobian, alpha)
    pair = combine(jacobian[2:4], alpha)[1]
    torch.testing.assert_close(update, pair, rtol=1e-4, atol=1e-5)
    assert weights[2] == pytest.approx(weights[3].item())
    assert weights[4] == 0


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_agrees_with_torchjd(alpha):
    torchjd = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed")
    for seed in range(3):
        jacobian = rows(3, 10, seed)
        torch.testing.assert_close(combine(jacobian, alpha)[1], torchjd.FairGrad(alpha)(jacobian), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("alpha", [0, -1.0, "fair"])
def test_bad_alpha(alpha):
    with pytest.raises(ValueError, match=r"balancer\.alpha.* must be a number"):
        load("fairgrad", alpha=alpha)
