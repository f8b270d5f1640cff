"""What the tasks' own parameters follow: each pass weighs them as the shared ones, or leaves them to the method."""

import pytest
import torch
from small_net import INPUTS, TASKS, Descending, Net, engine, expected, own_grad, shared_grad, step

from mtlrun.balancers import load
from mtlrun.balancers.base import JacobianBalancer
from mtlrun.errors import ConfigError

WAYS = {
    "one pass per task": {},
    "held weights": {"every": 2},
    "gramian": {"memory": "gramian"},
    "last stage": {"gradients": "last_stage"},
    "features": {"gradients": "features"},
    "scaled to T": {"rescale": "sum"},
    "as long as the sum": {"rescale": "norm"},
}
"""Settings of the engine that together take every pass."""


class Rows(JacobianBalancer):
    """The weights of `Descending` from the gradients themselves."""

    def direction(self, jacobian, losses, tasks):
        weights = torch.arange(1.0, len(jacobian) + 1).to(jacobian)
        return weights, weights @ jacobian


class Undeclared(JacobianBalancer):
    def direction(self, jacobian, losses, tasks):
        return None, jacobian.sum(0)


class TwoBatches(Descending):
    batches = 2

    def solve(self, gram, losses, tasks):
        return torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("parts", "measure"), [(1, False), (1, True), (3, False)])
@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_weighted_heads_follow_the_weighted_loss(way, parts, measure, scale):
    net = Net()
    jacobian, own = expected(net)
    run = engine(net, Descending(), heads="weighted", **WAYS[way])
    for _ in range(2):
        trace = step(net, run, parts=parts, measure=measure, scale=scale)
        torch.testing.assert_close(shared_grad(net) / scale, trace.weights @ jacobian)
        for weight, task in zip(trace.weights, TASKS):
            torch.testing.assert_close(own_grad(net, task) / scale, weight * own[task])
    assert trace.weights.max() > 1.2 * trace.weights.min()


@pytest.mark.parametrize("rescale", ["paper", "sum", "norm"])
@pytest.mark.parametrize(("parts", "scale"), [(1, 1.0), (3, 1024.0)])
def test_a_jacobian_balancer_weighs_them_by_what_it_returns(rescale, parts, scale):
    net = Net()
    jacobian, own = expected(net)
    trace = step(net, engine(net, Rows(), heads="weighted", rescale=rescale), parts=parts, scale=scale)
    torch.testing.assert_close(shared_grad(net) / scale, trace.weights @ jacobian)
    for weight, task in zip(trace.weights, TASKS):
        torch.testing.assert_close(own_grad(net, task) / scale, weight * own[task])


@pytest.mark.parametrize("memory", ["buffer", "gramian"])
def test_of_several_batches_the_mean_is_weighted(memory):
    net = Net()
    first, second = (expected(net, inputs=part)[1] for part in INPUTS.tensor_split(2))
    step(net, engine(net, TwoBatches(), heads="weighted", memory=memory))
    for weight, task in zip((1.0, 2.0, 3.0), TASKS):
        torch.testing.assert_close(own_grad(net, task), weight * (first[task] + second[task]) / 2)


@pytest.mark.parametrize(("name", "options"), [("imtl", {"lr": 0.1}), ("db_mtl", {"beta": 0.0})])
@pytest.mark.parametrize("heads", ["own", "weighted"])
def test_the_update_s_weights_take_the_place_of_the_method_s_own(name, options, heads):
    """`imtl` and `db_mtl` weigh heads by numbers of their own, which are not those of the shared update."""
    net, balancer = Net(), load(name, **options)
    _, own = expected(net)
    run = engine(net, balancer, heads=heads)
    for _ in range(3):
        trace = step(net, run)
    chosen = trace.weights if heads == "weighted" else balancer.own_weights(trace.losses, TASKS)
    assert not torch.allclose(trace.weights, balancer.own_weights(trace.losses, TASKS), rtol=0.01)
    for weight, task in zip(chosen, TASKS):
        torch.testing.assert_close(own_grad(net, task), weight * own[task])


def test_an_overflow_that_the_scaler_will_skip_needs_no_weights():
    for balancer in (load("excess_mtl"), load("mgda")):
        net = Net()
        step(net, engine(net, balancer, heads="weighted"), scale=float("inf"))
        assert not torch.isfinite(shared_grad(net)).any()


def test_no_weights_are_refused_at_the_first_step():
    net = Net()
    with pytest.raises(ConfigError, match=r"^balancer\.heads=weighted: Undeclared gives no weights .* choose own$"):
        step(net, engine(net, Undeclared(), heads="weighted"))
