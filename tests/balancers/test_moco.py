import pytest
import torch

from mtlrun.balancers import load, moco

OPTIONS = [
    {},
    {"beta": 0.5, "gamma": 0.02, "rho": 0.3},
    {"beta": 1.0, "beta_sigma": 0.0, "gamma": 0.01, "gamma_sigma": 0.0, "update": "raw"},
]
DEFAULTS = {"beta": 0.1, "beta_sigma": 0.5, "gamma": 0.1, "gamma_sigma": 0.5, "rho": 0.0, "update": "tracked"}


def matrix(tasks=3, parameters=20, seed=0, scales=1.0):
    rows = torch.randn(tasks, parameters, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return rows * torch.as_tensor(scales, dtype=torch.float64).reshape(-1, 1)


def project(values):
    """On the simplex, by bisection for the threshold."""
    low, high = values.min() - 1, values.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if (values - middle).clamp(min=0).sum() > 1 else (low, middle)
    return (values - low).clamp(min=0)


def algorithm(jacobians, beta, beta_sigma, gamma, gamma_sigma, rho, update):
    """Algorithm 1; yields (w, update) of each step."""
    tracked = torch.zeros_like(jacobians[0])
    w = torch.full((len(tracked),), 1 / len(tracked), dtype=torch.float64)
    for k, jacobian in enumerate(jacobians, 1):
        tracked = tracked - beta / k**beta_sigma * (tracked - jacobian)
        w = project(w - gamma / k**gamma_sigma * (tracked @ tracked.T + rho * torch.eye(len(w), dtype=w.dtype)) @ w)
        yield w, w @ (tracked if update == "tracked" else jacobian)


def test_two_steps_by_hand():
    """y = (2, 0), (0, 1), then the same again; Y Y^T w = (2, 0.5), so w = (0.5 - 0.2, 0.5 - 0.05) + 0.125."""
    balancer = load("moco", beta=0.5, beta_sigma=0.0, gamma=0.1, gamma_sigma=0.0, update="raw")
    jacobian = torch.tensor([[4.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    weights, update = balancer.combine(torch.ones(2), jacobian)
    assert weights.tolist() == pytest.approx([0.425, 0.575])
    assert update.tolist() == pytest.approx([1.7, 1.15])
    weights, _ = balancer.combine(torch.ones(2), jacobian / 2)  # y = (2, 0), (0, 1); slope (1.7, 0.575)
    assert weights.tolist() == pytest.approx([0.425 - 0.17 + 0.11375, 0.575 - 0.0575 + 0.11375])


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("scales", [1.0, [1e-6, 1.0, 1e3]])
def test_follows_algorithm_1(options, scales):
    jacobians = [matrix(seed=seed, scales=scales) for seed in range(12)]
    balancer = load("moco", **options)
    for jacobian, (expected, update) in zip(jacobians, algorithm(jacobians, **(DEFAULTS | options))):
        weights, found = balancer.combine(torch.ones(3), jacobian)
        torch.testing.assert_close(found, update, rtol=1e-9, atol=1e-12)
        if weights is not None:
            torch.testing.assert_close(weights, expected, rtol=1e-9, atol=1e-12)


def test_settles_at_the_min_norm_point():
    """Of constant gradients: g_i . v >= v . v for every i, with v in the hull."""
    jacobian = matrix(4, 6, seed=3) + 0.5
    balancer = load("moco", beta=1.0, gamma=0.02, gamma_sigma=0.0, update="raw")
    for _ in range(1500):
        weights, v = balancer.combine(torch.ones(4), jacobian)
    assert weights.sum() == pytest.approx(1.0)
    assert (jacobian @ v - v @ v).min() >= -1e-9 * (jacobian**2).sum(1).max()


@pytest.mark.parametrize("scales", [1e-6, 1e6, [1e-6, 1.0, 1e6], [0.0, 1.0, 1.0], 0.0])
def test_weights_stay_on_the_simplex(scales):
    balancer = load("moco", beta=1.0, update="raw")
    for seed in range(5):
        weights, update = balancer.combine(torch.ones(3), matrix(seed=seed, scales=scales))
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert update.isfinite().all()


def test_equal_tasks_share_and_one_task_has_all():
    row = matrix(1)
    assert load("moco", update="raw").combine(torch.ones(3), row.repeat(3, 1))[0].tolist() == pytest.approx([1 / 3] * 3)
    assert load("moco", update="raw").combine(torch.ones(1), row)[0].tolist() == [1.0]


def test_rho_pulls_towards_equal_weights():
    balancer = load("moco", beta=1.0, beta_sigma=0.0, rho=1.0, gamma_sigma=0.0, update="raw")
    weights, _ = balancer.combine(torch.ones(2), torch.diag(torch.tensor([100.0, 1.0])))
    assert weights.tolist() == [0.0, 1.0]
    for _ in range(100):
        weights, _ = balancer.combine(torch.ones(2), torch.zeros(2, 2))
    assert weights.tolist() == pytest.approx([0.5, 0.5], abs=1e-3)


def test_an_absent_task_keeps_its_weight():
    balancer = load("moco", beta=1.0, beta_sigma=0.0, gamma=0.05, gamma_sigma=0.0, update="raw")
    rows = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    before, _ = balancer.combine(torch.ones(3), rows, ["a", "b", "c"])
    alone, _ = balancer.combine(torch.ones(1), rows[:1], ["b"])
    assert alone.tolist() == [1.0]
    pair, _ = balancer.combine(torch.ones(2), 0 * rows[:2], ["a", "c"])
    assert (pair[0] / pair[1]).item() == pytest.approx((before[0] / before[2]).item())
    balancer.gamma = 0.0
    after, _ = balancer.combine(torch.ones(3), rows, ["a", "b", "c"])
    torch.testing.assert_close(after, before)


def test_the_gradients_are_not_kept_by_reference():
    """The buffer of a run's gradients is written again in the next step."""
    jacobian = matrix()
    balancer, copied = load("moco", beta=1.0), load("moco", beta=1.0)
    for seed in range(3):
        jacobian.copy_(matrix(seed=seed))
        update = balancer.combine(torch.ones(3), jacobian)[1]
        assert torch.equal(update, copied.combine(torch.ones(3), matrix(seed=seed))[1])


def test_gram_of_many_columns_in_parts(monkeypatch):
    rows = matrix(3, 50)
    monkeypatch.setattr(moco, "CHUNK", 16)
    torch.testing.assert_close(moco.gram_of(list(rows)), rows @ rows.T)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 0.0}, r"balancer\.beta must be a number above 0 and up to 1, found 0\.0"),
        ({"beta": "x"}, r"balancer\.beta=x: must be a number"),
        ({"gamma": -1.0}, r"balancer\.gamma must be a number >= 0, found -1\.0"),
        ({"rho": float("nan")}, r"balancer\.rho must be a number >= 0, found nan"),
        ({"update": "tracket"}, "did you mean 'tracked'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        load("moco", **options)
