"""The engine against gradients worked out separately with autograd, for every kind of balancer and every way."""

import pytest
import torch
from torch import nn

from mtlrun.balancers import load
from mtlrun.balancers.base import GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.errors import NonFiniteError
from mtlrun.gradients.engine import Engine

TASKS = ("a", "b", "c")


class Net(nn.Module):
    """Two shared layers and one head per task; float64, so that equalities are sharp."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(5, 7), nn.Linear(7, 6)
        self.heads = nn.ModuleDict({task: nn.Linear(6, 1) for task in TASKS})
        self.double()

    def losses(self, inputs, tasks=TASKS):
        features = torch.tanh(self.second(torch.tanh(self.first(inputs))))
        return {t: ((self.heads[t](features) - k) ** 2).mean() * 10**k for k, t in enumerate(TASKS) if t in tasks}

    def shared(self):
        return [*self.first.parameters(), *self.second.parameters()]

    def own(self):
        return {task: [*self.heads[task].parameters()] for task in TASKS}


class Sharper(LossBalancer):
    """Weights that depend on this step's losses."""

    def weights(self, losses, tasks):
        return losses / losses.sum()


class Signs(JacobianBalancer):
    def direction(self, jacobian, losses, tasks):
        return None, jacobian.sign().sum(0)


class Descending(GramBalancer):
    """Weights 1, 2, 3, ... by row, or half of that when told."""

    def solve(self, gram, losses, tasks):
        return torch.arange(1.0, len(gram) + 1, dtype=torch.float64) * (1 + (gram.diagonal() > 0).double())


INPUTS = torch.randn(12, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def engine(net, balancer, **options):
    return Engine(net.shared(), net.own(), balancer, **options)


def step(net, run, inputs=INPUTS, tasks=TASKS, parts=1, **options):
    net.zero_grad()
    run.begin(tasks, parts, **options)
    for part in inputs.tensor_split(parts):
        run.backward({t: loss / parts for t, loss in net.losses(part, tasks).items()})
    return run.finish()


def expected(net, tasks=TASKS):
    """(jacobian [T, P], own gradients) one task at a time."""
    rows, own = [], {}
    for task in tasks:
        loss = net.losses(INPUTS)[task]
        found = torch.autograd.grad(loss, [*net.shared(), *net.own()[task]])
        rows.append(torch.cat([g.flatten() for g in found[: len(net.shared())]]))
        own[task] = torch.cat([g.flatten() for g in found[len(net.shared()) :]])
    return torch.stack(rows), own


def shared_grad(net):
    return torch.cat([parameter.grad.flatten() for parameter in net.shared()])


def own_grad(net, task):
    return torch.cat([parameter.grad.flatten() for parameter in net.own()[task]])


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1024.0])
@pytest.mark.parametrize("balancer", [Sharper(), load("fixed", task_weights={"b": 0.25})], ids=["Sharper", "Fixed"])
def test_loss_balancers_weigh_shared_and_own(balancer, parts, measure, scale):
    net = Net()
    jacobian, own = expected(net)
    trace = step(net, engine(net, balancer), parts=parts, measure=measure, scale=scale)
    weights = balancer.weights(torch.stack([loss.detach() for loss in net.losses(INPUTS).values()]), TASKS)
    torch.testing.assert_close(trace.weights, weights)
    torch.testing.assert_close(shared_grad(net) / scale, weights @ jacobian)
    for weight, task in zip(weights, TASKS):
        torch.testing.assert_close(own_grad(net, task) / scale, weight * own[task])
    assert (trace.gram is not None) == measure
    if measure:
        torch.testing.assert_close(trace.gram, jacobian @ jacobian.T)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("scale", [1.0, 1024.0])
@pytest.mark.parametrize("measure", [False, True])
def test_gram_balancers_leave_the_tasks_own_gradients_unscaled(parts, scale, measure):
    net = Net()
    jacobian, own = expected(net)
    trace = step(net, engine(net, Descending()), parts=parts, scale=scale, measure=measure)
    torch.testing.assert_close(shared_grad(net) / scale, torch.tensor([2.0, 4.0, 6.0]).double() @ jacobian)
    for task in TASKS:
        torch.testing.assert_close(own_grad(net, task) / scale, own[task])
    torch.testing.assert_close(trace.gram, jacobian @ jacobian.T)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_jacobian_balancers_see_unscaled_rows(parts, scale):
    net = Net()
    jacobian, own = expected(net)
    trace = step(net, engine(net, Signs()), parts=parts, scale=scale)
    torch.testing.assert_close(shared_grad(net) / scale, jacobian.sign().sum(0))
    torch.testing.assert_close(own_grad(net, "c") / scale, own["c"])
    assert trace.weights is None
    assert trace.gram is None


@pytest.mark.parametrize(("parts", "measure"), [(1, False), (1, True), (3, False)])
def test_last_stage_norms_weigh_all_shared_parameters(parts, measure):
    """GradNorm on the last shared stage: the second step's weights follow from norms on `second` alone."""
    net, twin = Net(), load("gradnorm", lr=0.1)
    jacobian, own = expected(net)
    part = jacobian[:, -sum(p.numel() for p in net.second.parameters()) :]
    run = engine(net, load("gradnorm", lr=0.1), seen=[*net.second.parameters()])
    losses = torch.stack([loss.detach() for loss in net.losses(INPUTS).values()])
    for _ in range(3):
        trace = step(net, run, parts=parts, measure=measure)
        weights, _ = twin.combine(losses, part, TASKS)
        torch.testing.assert_close(trace.weights, weights)
        torch.testing.assert_close(shared_grad(net), weights @ jacobian)
        torch.testing.assert_close(own_grad(net, "b"), own["b"])


def test_weights_are_held_between_solves():
    net = Net()
    jacobian, own = expected(net)
    run = engine(net, load("pcgrad"), every=3)
    seen = []
    for _ in range(7):
        trace = step(net, run)
        seen.append(trace)
        torch.testing.assert_close(shared_grad(net), trace.weights @ jacobian)
        torch.testing.assert_close(own_grad(net, "a"), own["a"])
    assert [trace.gram is not None for trace in seen] == [True, False, False, True, False, False, True]
    assert torch.equal(seen[1].weights, seen[0].weights)


def test_a_task_without_held_weight_makes_a_new_solve():
    net = Net()
    run = engine(net, load("pcgrad"), every=10)
    assert step(net, run, tasks=("a", "b")).gram is not None
    assert step(net, run, tasks=("b",)).gram is None
    assert step(net, run).gram is not None


@pytest.mark.parametrize("name", ["equal", "uncertainty", "pcgrad", "gradnorm"])
def test_an_absent_task_gets_no_gradient(name):
    net = Net()
    run = engine(net, load(name))
    step(net, run)
    trace = step(net, run, tasks=("a", "c"))
    assert trace.tasks == ("a", "c")
    assert all(parameter.grad is None for parameter in net.own()["b"])


def test_uncertainty_learns_once_a_step_however_it_is_computed():
    plain, measured, parts = (load("uncertainty", lr=0.1) for _ in range(3))
    for balancer, options in ((plain, {}), (measured, {"measure": True}), (parts, {"parts": 4})):
        net = Net()
        run = engine(net, balancer)
        for _ in range(3):
            step(net, run, **options)
    like = torch.zeros(3, dtype=torch.float64)
    torch.testing.assert_close(plain.weights(like, TASKS), measured.weights(like, TASKS))
    torch.testing.assert_close(plain.weights(like, TASKS), parts.weights(like, TASKS))


def test_a_task_that_is_missing_in_a_micro_batch_keeps_the_whole_steps_weights():
    """DWA's weights depend on which tasks are active in the step: parts of a step must not ask for their own."""
    whole, parts = Net(), Net()
    balancers = [load("dwa", temperature=0.5) for _ in range(2)]
    for balancer in balancers:
        for losses in ([1.0, 2.0, 3.0], [0.5, 1.9, 3.3]):
            balancer.combine(torch.tensor(losses).double(), torch.eye(3).double(), TASKS)
            balancer.end_epoch()
    step(whole, engine(whole, balancers[0]))
    run = engine(parts, balancers[1])
    parts.zero_grad()
    run.begin(TASKS, 2)
    run.backward(parts.losses(INPUTS, ("a", "b")))
    run.backward(parts.losses(INPUTS, ("c",)))
    run.finish()
    torch.testing.assert_close(shared_grad(parts), shared_grad(whole))


def test_overflow_under_loss_scaling_is_left_to_the_scaler():
    net = Net()
    balancer = load("gradnorm")
    run = engine(net, balancer)
    step(net, run)
    before = balancer.state_dict()["weight"]["value"]["values"].clone()
    step(net, run, scale=float("inf"))
    assert not torch.isfinite(shared_grad(net)).any()
    assert torch.equal(balancer.state_dict()["weight"]["value"]["values"], before)


def test_a_gradient_that_is_not_finite_names_its_task():
    net = Net()
    net.heads["b"].weight.data.fill_(float("nan"))
    with pytest.raises(NonFiniteError, match="'b'"):
        step(net, engine(net, load("pcgrad")))


def test_nothing_shared_still_trains_with_a_loss_balancer():
    net = Net()
    own = {**net.own(), "a": [*net.own()["a"], *net.shared()]}
    run = Engine([], own, load("uncertainty"))
    trace = step(net, run, measure=True)
    assert trace.gram is None
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_frozen_parameters_stay_out():
    net = Net()
    net.first.requires_grad_(False)
    net.heads["a"].requires_grad_(False)
    run = engine(net, load("pcgrad"))
    step(net, run)
    assert all(parameter.grad is None for parameter in net.first.parameters())
    assert all(parameter.grad is not None for parameter in net.second.parameters())
