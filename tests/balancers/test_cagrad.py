import pytest
import torch

from mtlrun.balancers import load


def rows(tasks, parameters, seed):
    return torch.randn(tasks, parameters, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def combine(jacobian, **options):
    return load("cagrad", **options).combine(torch.ones(len(jacobian)), jacobian)


@pytest.mark.parametrize(
    ("shrink", "factor"), [("none", 1.0), ("linear", 1 / 1.5), ("square", 1 / 1.25), ("square_sum", 2 / 1.25)]
)
def test_two_orthogonal_tasks_by_hand(shrink, factor):
    """By symmetry g_w is the mean (1/2, 1/2), so d = (1 + c) g_0."""
    weights, update = combine(torch.eye(2, dtype=torch.float64), c=0.5, shrink=shrink)
    assert update.tolist() == pytest.approx([0.75 * factor] * 2)
    assert weights.tolist() == pytest.approx([0.75 * factor] * 2)


def test_a_weak_task_by_hand():
    """g_0 = (2, 1/2): the second task gains least, until d = g_0 + c |g_0| (0, 1) if that leaves the first ahead."""
    jacobian = torch.tensor([[4.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    weights, update = combine(jacobian, c=0.5)
    step = 0.5 * 4.25**0.5
    assert update.tolist() == pytest.approx([2.0, 0.5 + step])
    assert weights.tolist() == pytest.approx([0.5, 0.5 + step])


@pytest.mark.parametrize("c", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("tasks", "parameters"), [(2, 5), (3, 50), (10, 12), (40, 100)])
def test_solves_the_papers_problem(tasks, parameters, c):
    """w has the least value of g_w.g_0 + c |g_0| |g_w| on the simplex, and d is the paper's formula with it."""
    for seed in range(5):
        jacobian = rows(tasks, parameters, seed) + 0.3
        weights, update = combine(jacobian, c=c)
        mean = jacobian.mean(0)
        radius = c * mean.norm()
        shares = (weights - 1 / tasks) / (weights - 1 / tasks).sum()
        direction = shares @ jacobian / (shares @ jacobian).norm()
        torch.testing.assert_close(update, mean + radius * direction, rtol=1e-9, atol=0)
        slope = jacobian @ mean + radius * jacobian @ direction
        assert shares.min() >= 0
        torch.testing.assert_close(slope.min(), shares @ slope, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("matrix", [rows(4, 7, 0), rows(4, 2, 1), torch.tensor([[1.0, 0], [-1, 0], [0, 0]])])
def test_without_radius_it_is_the_mean(matrix, scale):
    jacobian = scale * matrix.double()
    weights, update = combine(jacobian, c=0)
    assert weights.tolist() == [1 / len(jacobian)] * len(jacobian)
    torch.testing.assert_close(update, jacobian.mean(0), rtol=1e-12, atol=1e-15 * scale)


def test_one_task_is_lengthened():
    jacobian = rows(1, 5, 0)
    torch.testing.assert_close(combine(jacobian, c=0.25)[1], 1.25 * jacobian[0])


def test_conflicting_lengths_of_many_orders():
    """The worst task is the tiny one, which the update has to serve: d = g_0 + c |g_0| times its direction."""
    jacobian = torch.tensor([[1e6, 0.0, 0.0], [0.0, 1e-6, 0.0]], dtype=torch.float64)
    _, update = combine(jacobian, c=0.5)
    assert update.tolist() == pytest.approx([5e5, 2.5e5, 0.0])


def test_opposite_gradients_and_no_gradients_give_no_update():
    for jacobian in ([[1.0, 2.0], [-1.0, -2.0]], [[0.0, 0.0], [0.0, 0.0]]):
        assert combine(torch.tensor(jacobian, dtype=torch.float64))[1].tolist() == [0.0, 0.0]


def test_agrees_with_torchjd():
    torchjd = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed")
    pytest.importorskip("clarabel", reason="torchjd's CAGrad needs cvxpy and clarabel")
    pytest.importorskip("cvxpy", reason="torchjd's CAGrad needs cvxpy and clarabel")
    for seed in range(5):
        jacobian = rows(4, 9, seed)
        expected = torchjd.CAGrad(c=0.5, norm_eps=0.0)(jacobian)
        torch.testing.assert_close(combine(jacobian, c=0.5)[1], expected, atol=1e-3, rtol=0)  # solved to 1e-8


@pytest.mark.parametrize(("option", "value"), [("c", -0.1), ("c", float("inf")), ("shrink", "cubic")])
def test_bad_options(option, value):
    with pytest.raises(ValueError, match=rf"balancer\.{option}"):
        load("cagrad", **{option: value})
