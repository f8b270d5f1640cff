from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.mlp import MLP
from mtlrun.errors import ConfigError
from mtlrun.sharing.base import Sharing
from mtlrun.sharing.independent import Independent
from mtlrun.sharing.soft import Soft, squared_distances, trace_norm
from mtlrun.types import Feature

TASKS = ["lane", "sign", "car"]


def build_mlp() -> MLP:
    return MLP((5,), hidden=[4, 3])


class Scalar(nn.Module):
    """Puts out its only parameter for every row."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.theta.expand(len(inputs), 1)


def build_scalar() -> Backbone:
    return Backbone({"theta": Scalar()}, [Feature("theta", 1, None)])


def train(scheme: Sharing, loss: Callable[[dict[str, list[Tensor]]], Tensor], steps: int, lr: float) -> None:
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(scheme.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        total = loss(scheme(torch.randn(6, 5), dict.fromkeys(scheme.tasks)))
        penalty = scheme.penalty()
        (total if penalty is None else total + penalty).backward()
        optimizer.step()


def spread_loss(outputs: dict[str, list[Tensor]]) -> Tensor:
    """Asks another value of every task."""
    return sum((value[-1] - number).square().mean() for number, value in enumerate(outputs.values()))


def distance(scheme: Soft) -> float:
    values = [nn.utils.parameters_to_vector(scheme.task_parameters(task)) for task in scheme.tasks]
    return torch.pdist(torch.stack(values)).max().item()


@pytest.mark.parametrize("strength", [0.05, 0.7, 3.0])
def test_training_reaches_the_minimiser_of_two_scalar_tasks(strength: float) -> None:
    """L_t = a_t (theta_t - mu_t)^2 / 2 with 2 beta (theta_1 - theta_2)^2: a linear system gives the minimiser."""
    scale, target = torch.tensor([1.0, 3.0]).double(), torch.tensor([-2.0, 1.0]).double()
    scheme = Soft(build_scalar, TASKS[:2], strength=strength).double()

    def loss(outputs: dict[str, list[Tensor]]) -> Tensor:
        theta = torch.stack([value[-1].mean() for value in outputs.values()])
        return (scale * (theta - target).square()).sum() / 2

    train(scheme, loss, steps=350, lr=0.07)
    coupling = 4 * strength * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double()
    expected = torch.linalg.solve(torch.diag(scale) + coupling, scale * target)
    found = torch.stack([scheme.task_parameters(task)[0].detach() for task in TASKS[:2]])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_l2_sums_over_ordered_pairs_of_whole_networks() -> None:
    scheme = Soft(build_mlp, TASKS, strength=0.3).double()
    values = [nn.utils.parameters_to_vector(scheme.task_parameters(task)) for task in TASKS]
    pairs = [(one - other).square().sum() for one in values for other in values]
    torch.testing.assert_close(scheme.penalty(), 0.3 * sum(pairs))


def test_trace_norm_sums_singular_values_per_tensor() -> None:
    scheme = Soft(build_mlp, TASKS, penalty="trace_norm", strength=0.3).double()
    stacks = zip(*(scheme.task_parameters(task) for task in TASKS))
    values = [torch.linalg.svdvals(torch.stack(copies).flatten(1)).sum() for copies in stacks]
    torch.testing.assert_close(scheme.penalty(), 0.3 * sum(values))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_trace_norm_and_its_gradient_are_those_of_svd(scale: float) -> None:
    one = (scale * torch.randn(3, 7)).double().requires_grad_()
    other = one.detach().clone().requires_grad_()
    trace_norm(one).backward()
    torch.linalg.svdvals(other).sum().backward()
    torch.testing.assert_close(trace_norm(one), torch.linalg.svdvals(other).sum(), rtol=1e-9, atol=0)
    torch.testing.assert_close(one.grad, other.grad, rtol=1e-7, atol=1e-7)


def test_trace_norm_of_equal_and_of_zero_rows() -> None:
    row = torch.randn(7)
    equal = row.repeat(3, 1).requires_grad_()
    trace_norm(equal).backward()
    torch.testing.assert_close(trace_norm(equal), 3**0.5 * row.norm())
    torch.testing.assert_close(equal.grad, (row / row.norm()).repeat(3, 1) / 3**0.5)
    zero = torch.zeros(3, 7, requires_grad=True)
    trace_norm(zero).backward()
    assert not zero.grad.any()


def test_trace_norm_of_what_has_diverged_is_not_finite_and_raises_nothing() -> None:
    for value in (torch.inf, torch.nan):
        assert not trace_norm(torch.tensor([[value, 0.0], [1.0, 2.0]])).isfinite()


def test_distances_of_equal_rows_are_zero() -> None:
    assert squared_distances(torch.full((4, 7), 0.1)) == 0


@pytest.mark.parametrize("penalty", ["l2", "trace_norm"])
def test_strength_0_equals_independent(penalty: str) -> None:
    torch.manual_seed(0)
    soft = Soft(build_mlp, TASKS, penalty, strength=0)
    torch.manual_seed(0)
    independent = Independent(build_mlp, TASKS)
    for scheme in (soft, independent):
        train(scheme, spread_loss, steps=5, lr=0.1)
    for one, other in zip(soft.parameters(), independent.parameters()):
        torch.testing.assert_close(one, other, rtol=0, atol=0)  # a strength of 0 adds 0, which is exact


def test_large_strength_drives_the_copies_together() -> None:
    free, pulled = (Soft(build_mlp, TASKS, strength=strength) for strength in (0, 10))
    for scheme in (free, pulled):
        train(scheme, spread_loss, steps=150, lr=0.005)
    assert distance(pulled) < 0.02 * distance(free)


def test_large_trace_norm_lowers_the_rank() -> None:
    torch.manual_seed(0)
    scheme = Soft(build_mlp, TASKS, penalty="trace_norm", strength=0.3)
    train(scheme, spread_loss, steps=400, lr=0.01)
    first = torch.stack([scheme.task_parameters(task)[0] for task in TASKS]).flatten(1)
    values = torch.linalg.svdvals(first)
    assert values[-1] < 0.02 * values[0]
    assert values[0] > 0.3


def test_only_trainable_parameters_are_pulled() -> None:
    scheme = Soft(build_mlp, TASKS, strength=1.0)
    for task in TASKS:
        scheme.task_parameters(task)[0].requires_grad_(False)
    scheme.penalty().backward()
    assert [parameter.grad is None for parameter in scheme.task_parameters("car")] == [True, False, False, False]


def test_nothing_to_pull() -> None:
    assert Soft(build_mlp, TASKS[:1]).penalty() is None
    assert Soft(build_mlp, TASKS, strength=0).penalty() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": "trace"}, "no sharing.penalty 'trace'; did you mean 'trace_norm'? (there are: l2, trace_norm)"),
        ({"strength": -1}, "sharing.strength must be a finite number of at least 0, found -1"),
        ({"strength": float("inf")}, "sharing.strength must be a finite number of at least 0, found inf"),
        ({"strength": float("nan")}, "sharing.strength must be a finite number of at least 0, found nan"),
        ({"strength": "much"}, "sharing.strength must be a finite number of at least 0, found 'much'"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Soft(build_mlp, TASKS, **options)
    assert str(caught.value) == message
