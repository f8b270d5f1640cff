import pytest
import torch

from mtlrun.balancers import load
from mtlrun.linalg.simplex import project_simplex


def rows(tasks, parameters, seed):
    return torch.randn(tasks, parameters, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def combine(jacobian, tasks=None, **options):
    tasks = tasks or len(jacobian)
    return load("sdmgrad", **options).combine(torch.ones(tasks), jacobian)


def test_two_tasks_by_hand():
    """Rows (2, 0), (0, 1) and lam = 1: with g_0 added they are (3, 1/2), (1, 3/2), of which the second is shortest."""
    weights, update = combine(torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64), lam=1.0)
    assert weights.tolist() == pytest.approx([0.25, 0.75])
    assert update.tolist() == pytest.approx([0.5, 0.75])


@pytest.mark.parametrize("lam", [0.0, 0.3, 5.0])
@pytest.mark.parametrize(("tasks", "parameters", "scales"), [(2, 5, 0), (5, 3, 0), (6, 9, 5), (40, 60, 0)])
def test_minimiser_with_one_batch(tasks, parameters, scales, lam):
    """With x = g_w + lam g_0, no gradient has a smaller inner product with x than those that w weighs."""
    for seed in range(5):
        jacobian = rows(tasks, parameters, seed) * 10 ** (scales * rows(tasks, 1, 99).clamp(-1, 1))
        weights, update = combine(jacobian, lam=lam)
        shares = (1 + lam) * weights - lam / tasks
        point, lengths = shares @ jacobian + lam * jacobian.mean(0), jacobian.norm(dim=1)
        slope = jacobian @ point
        size = (lengths + shares @ lengths) * (shares @ lengths + lam * lengths.mean())
        assert shares.min() > -1e-12
        assert ((shares @ slope - slope) / size).max() < 1e-12
        torch.testing.assert_close(update, point / (1 + lam), rtol=1e-9, atol=1e-9 * float(size.sqrt().max()))


def test_between_mgda_and_the_mean():
    jacobian = rows(4, 6, 0)
    torch.testing.assert_close(combine(jacobian, lam=0.0)[1], load("mgda").combine(torch.ones(4), jacobian)[1])
    torch.testing.assert_close(combine(jacobian, lam=1e9)[1], jacobian.mean(0), rtol=1e-7, atol=1e-7)


def reference(batches, lam, lr, momentum, steps):
    """Algorithm 1 with torch.optim.SGD on batches [(J_1, J_2), ...]; yields w after each training step."""
    weights = torch.full((len(batches[0][0]),), 1 / len(batches[0][0]), dtype=torch.float64)
    for first, second in batches:
        cross = first @ second.T
        cross = cross / cross.diagonal().clamp(min=0).sqrt().mean() ** 2
        weights.requires_grad_(True)
        sgd = torch.optim.SGD([weights], lr=lr, momentum=momentum)
        for _ in range(steps):
            weights.grad = cross @ weights.detach() + lam * cross.mean(1)
            sgd.step()
            weights.data = project_simplex(weights.data)
        weights = weights.detach().clone()
        yield weights


@pytest.mark.parametrize("options", [{}, {"lam": 0.7, "lr": 0.2, "momentum": 0.0, "steps": 3}])
def test_follows_the_algorithm_with_three_batches(options):
    settings = {"lam": 0.3, "lr": 10.0, "momentum": 0.5, "steps": 20} | options
    batches = [[rows(4, 50, 10 * step + k) + rows(4, 50, 99) for k in range(3)] for step in range(6)]
    balancer = load("sdmgrad", **options)
    assert balancer.batches == 3
    for (*_, third), shares in zip(batches, reference([batch[:2] for batch in batches], **settings)):
        weights, update = balancer.combine(torch.ones(4), torch.cat([*_, third]))
        expected = (shares + settings["lam"] / 4) / (1 + settings["lam"])
        torch.testing.assert_close(weights, expected, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(update, expected @ third, rtol=1e-9, atol=1e-12)


def test_agrees_with_torchjd_on_three_batches():
    torchjd = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed")
    balancer, other = load("sdmgrad", lr=0.3), torchjd.SDMGradWeighting(lr=0.3)
    for step in range(6):
        first, second, third = (rows(4, 50, 10 * step + k) + rows(4, 50, 99) for k in range(3))
        weights = balancer.combine(torch.ones(4), torch.cat([first, second, third]))[0]
        torch.testing.assert_close(weights, other(first @ second.T), rtol=1e-6, atol=1e-8)


def test_equal_batches_lead_to_the_exact_weights():
    jacobian = rows(4, 20, 3)
    balancer = load("sdmgrad", lr=0.3, steps=500)
    weights = balancer.combine(torch.ones(4), jacobian.repeat(3, 1))[0]
    torch.testing.assert_close(weights, combine(jacobian)[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_does_not_matter_with_three_batches(scale):
    jacobian = rows(12, 50, 0)
    torch.testing.assert_close(combine(scale * jacobian, 4)[0], combine(jacobian, 4)[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "jacobian", [torch.zeros(9, 5), torch.cat([torch.ones(3, 5), -torch.ones(3, 5), rows(3, 5, 0)])]
)
def test_batches_that_agree_on_nothing_leave_the_weights(jacobian):
    assert combine(jacobian.double(), 3)[0].tolist() == pytest.approx([1 / 3] * 3)


def test_one_batch_if_asked_for():
    assert load("sdmgrad", batches=1).batches == 1


@pytest.mark.parametrize(
    ("option", "value"), [("lam", -1), ("lr", -0.1), ("momentum", 1.0), ("steps", 0), ("steps", 2.5), ("batches", 2)]
)
def test_bad_options(option, value):
    with pytest.raises(ValueError, match=rf"balancer\.{option}(={value}: must be .*| must be .*, found {value})"):
        load("sdmgrad", **{option: value})
