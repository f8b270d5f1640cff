import math

import pytest
import torch

from mtlrun.balancers import load


def matrix(seed=0, tasks=3, parameters=30, scales=1.0):
    rows = torch.randn(tasks, parameters, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return rows * torch.as_tensor(scales, dtype=torch.float64).reshape(-1, 1)


def authors(jacobians, eta):
    """The authors' code without its epsilon, and with weights that add up to 1."""
    squares, first = torch.zeros_like(jacobians[0]), None
    weights = torch.full((len(squares),), 1 / len(squares), dtype=torch.float64)
    for jacobian in jacobians:
        squares = squares + jacobian**2
        risks = torch.stack([g @ torch.diag(h.sqrt()).inverse() @ g for g, h in zip(jacobian, squares)])
        if first is None:
            first = risks
        else:
            weights = weights * (eta * risks / first).exp()
            weights = weights / weights.sum()
        yield weights


def test_three_steps_by_hand():
    """Risks 3 and 4 are the references. Then g = (4, 3), H = (5, 5): 16/5 and 9/5, relative 16/15 and 9/20."""
    balancer = load("excess_mtl", eta=0.5)
    weights, _ = balancer.combine(torch.ones(2), torch.diag(torch.tensor([3.0, 4.0], dtype=torch.float64)))
    assert weights.tolist() == [0.5, 0.5]
    rows = torch.diag(torch.tensor([4.0, 3.0], dtype=torch.float64))
    weights, update = balancer.combine(torch.ones(2), rows)
    ratio = math.exp(0.5 * (16 / 15 - 9 / 20))
    assert weights.tolist() == pytest.approx([ratio / (1 + ratio), 1 / (1 + ratio)])
    assert update.tolist() == pytest.approx([4 * weights[0].item(), 3 * weights[1].item()])
    again, _ = balancer.combine(torch.ones(2), 0 * rows)  # no gradient, no excess risk: nothing moves
    torch.testing.assert_close(again, weights)


@pytest.mark.parametrize("eta", [0.01, 1.0])
@pytest.mark.parametrize("scales", [1.0, 1e-6, [1e-6, 1.0, 1e6]])
def test_follows_the_authors_code(eta, scales):
    jacobians = [matrix(seed, scales=scales) for seed in range(8)]
    balancer = load("excess_mtl", eta=eta)
    for jacobian, expected in zip(jacobians, authors(jacobians, eta)):
        weights, update = balancer.combine(torch.ones(3), jacobian)
        torch.testing.assert_close(weights, expected, rtol=1e-9, atol=0)
        torch.testing.assert_close(update, weights @ jacobian)


@pytest.mark.parametrize("steps", [1, 3])
def test_agrees_with_torchjd_on_averaged_references(steps):
    torchjd = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed")
    reference = torchjd.ExcessMTLWeighting(robust_step_size=0.3, n_warmup_steps=steps)
    balancer = load("excess_mtl", eta=0.3, baseline_steps=steps)
    for seed in range(8):
        jacobian = matrix(seed, scales=100.0)  # large against its epsilon
        expected = reference(jacobian)
        torch.testing.assert_close(balancer.combine(torch.ones(3), jacobian)[0], expected, rtol=1e-6, atol=0)


def test_float32_gradients_whose_squares_underflow():
    wide, narrow = load("excess_mtl", eta=1.0), load("excess_mtl", eta=1.0)
    for seed in range(4):
        expected = wide.combine(torch.ones(3), matrix(seed))[0]
        weights, update = narrow.combine(torch.ones(3), (matrix(seed) * 1e-30).float())
        torch.testing.assert_close(weights.double(), expected, rtol=1e-5, atol=0)
        assert update.isfinite().all()


def test_a_task_that_stops_learning_loses_weight():
    """Both have the same first gradient; the second one's shrinks, and with it its distance to the optimum."""
    balancer = load("excess_mtl", eta=0.5)
    for shrink in (1.0, 0.5, 0.25, 0.125):
        weights, _ = balancer.combine(torch.ones(2), torch.diag(torch.tensor([1.0, shrink])))
    assert weights[0] > 2 * weights[1]


def test_a_task_without_gradients_at_first_gets_its_reference_later():
    balancer = load("excess_mtl", eta=1.0)
    rows = matrix()
    for factor in (0.0, 0.0, 1.0, 1.0):
        weights, update = balancer.combine(torch.ones(3), rows * torch.tensor([[factor], [1.0], [1.0]]))
        assert weights.isfinite().all()
        assert update.isfinite().all()
    assert 0 < weights[0] < weights[1]


def test_a_gradient_that_explodes_saturates_the_weights_and_no_more():
    balancer = load("excess_mtl", eta=1.0)
    balancer.combine(torch.ones(3), matrix(scales=1e-6))
    weights, update = balancer.combine(torch.ones(3), matrix(1, scales=[1e6, 1.0, 1.0]))
    assert weights.tolist() == [1.0, 0.0, 0.0]
    assert update.isfinite().all()
    assert balancer.combine(torch.ones(3), matrix(2))[1].isfinite().all()


def test_an_absent_task_keeps_its_share():
    balancer = load("excess_mtl", eta=1.0)
    balancer.combine(torch.ones(3), matrix(), ["a", "b", "c"])
    before, _ = balancer.combine(torch.ones(3), matrix(1), ["a", "b", "c"])
    pair, _ = balancer.combine(torch.ones(2), matrix(2)[:2], ["c", "a"])
    assert pair.sum() == pytest.approx(1.0)
    balancer.eta = 0.0
    after, _ = balancer.combine(torch.ones(3), matrix(3), ["a", "b", "c"])
    assert after[1].item() == pytest.approx(before[1].item())
    assert (after[2] / after[0]).item() == pytest.approx((pair[0] / pair[1]).item())


def test_identical_tasks_share_and_one_task_has_all():
    balancer = load("excess_mtl", eta=1.0)
    for seed in range(3):
        weights, _ = balancer.combine(torch.ones(2), matrix(seed)[:1].repeat(2, 1))
    assert weights.tolist() == [0.5, 0.5]
    assert load("excess_mtl").combine(torch.ones(1), matrix()[:1])[0].tolist() == [1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 0.0}, r"balancer\.eta must be a number > 0, found 0\.0"),
        ({"baseline_steps": 0}, r"balancer\.baseline_steps must be a whole number of at least 1, found 0"),
        ({"baseline_steps": 1.5}, r"balancer\.baseline_steps=1\.5: must be a whole number"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        load("excess_mtl", **options)
