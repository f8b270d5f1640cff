"""The engine against gradients worked out separately with autograd, for every kind of balancer and every way."""

import pytest
import torch
from small_net import INPUTS, TASKS, Descending, Net, engine, expected, own_grad, shared_grad, step
from torch import nn

from mtlrun.balancers import load
from mtlrun.balancers.base import GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.errors import NonFiniteError
from mtlrun.gradients.base import MEMORY, EngineSettings, ParameterGroups, flat
from mtlrun.gradients.engine import Engine
from mtlrun.gradients.passes import partition


class Sharper(LossBalancer):
    """Weights that depend on this step's losses."""

    def weights(self, losses, tasks):
        return losses / losses.sum()


class Signs(JacobianBalancer):
    def direction(self, jacobian, losses, tasks):
        return None, jacobian.sign().sum(0)


@pytest.mark.parametrize("parts", [1, 2])
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
    run = engine(net, load("gradnorm", lr=0.1), gradients="last_stage")
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
    run.backward((parts.losses(INPUTS, tasks) for tasks in (("a", "b"), ("c",))), TASKS, 2)
    torch.testing.assert_close(shared_grad(parts), shared_grad(whole))


def test_overflow_under_loss_scaling_is_left_to_the_scaler():
    net = Net()
    balancer = load("gradnorm")
    run = engine(net, balancer)
    step(net, run)
    before = balancer.state_dict()["weight"]["value"]["values"].clone()
    trace = step(net, run, scale=float("inf"))
    assert trace.gram is None  # cosines of it would stay in all means
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
    run = Engine(ParameterGroups([], own), load("uncertainty"))
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


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("gradients", ["parameters", "last_stage"])
@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_memory_gramian_gives_what_the_buffer_gives(parts, measure, gradients, scale):
    """The same weights and gradients without a row per task, for all shared parameters and for the last stage."""
    grads = []
    for memory in MEMORY:
        net = Net()
        run = engine(net, load("cagrad"), gradients=gradients, memory=memory)
        trace = step(net, run, parts=parts, measure=measure, scale=scale)
        grads.append([parameter.grad / scale for parameter in net.parameters()])
        assert (trace.gram is not None) == (measure or gradients == "parameters")
    torch.testing.assert_close(grads[1], grads[0])


def test_parts_of_a_network_are_neighbours_from_the_end():
    sizes = [5, 3, 4, 9, 1, 1]
    parts = partition([nn.Parameter(torch.zeros(size)) for size in sizes], largest=7)
    assert [[p.numel() for p in part] for part in parts] == [[1, 1], [9], [4, 3], [5]]


@pytest.mark.parametrize(("parts", "measure"), [(1, False), (1, True), (3, False)])
@pytest.mark.parametrize("memory", MEMORY)
def test_gradients_on_the_shared_features(parts, measure, memory):
    """The weights follow from the gradients on the features, and weigh the exact parameter gradients."""
    net = Net()
    jacobian, own = expected(net)
    features = torch.tanh(net.second(torch.tanh(net.first(INPUTS)))).detach().requires_grad_()
    rows = []
    for k, task in enumerate(TASKS):
        loss = ((net.heads[task](features) - k) ** 2).mean() * 10**k
        rows.append(torch.autograd.grad(loss, features)[0].flatten())
    through_tanh = torch.stack(rows) * (1 - features.detach().flatten() ** 2)  # the tap sits before the last tanh
    weights, _ = load("imtl_g").combine(torch.ones(3).double(), through_tanh)
    run = engine(net, load("imtl_g"), gradients="features", memory=memory)
    trace = step(net, run, parts=parts, measure=measure)
    torch.testing.assert_close(trace.weights, weights)
    torch.testing.assert_close(shared_grad(net), weights @ jacobian)
    torch.testing.assert_close(own_grad(net, "c"), own["c"])
    if measure:
        torch.testing.assert_close(trace.gram, jacobian @ jacobian.T)


def test_features_of_a_step_with_held_weights_are_forgotten():
    net = Net()
    run = engine(net, load("mgda"), gradients="features", every=2)
    weights = [step(net, run).weights for _ in range(4)]
    assert all(torch.equal(found, weights[0]) for found in weights)  # one function, called alike
    assert run.groups.features.take() == []


class LastBatch(GramBalancer):
    """Weights 1, 2, 3 for the last of two batches; remembers the Gram matrix."""

    batches = 2

    def solve(self, gram, losses, tasks):
        self.gram = gram
        return torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("memory", MEMORY)
def test_a_balancer_may_take_several_batches(parts, memory):
    net, balancer = Net(), LastBatch()
    first, second = (expected(net, inputs=part) for part in INPUTS.tensor_split(2))
    trace = step(net, engine(net, balancer, memory=memory), parts=parts)
    rows = torch.cat([first[0], second[0]])
    torch.testing.assert_close(balancer.gram, rows @ rows.T)
    torch.testing.assert_close(trace.gram, second[0] @ second[0].T)
    torch.testing.assert_close(shared_grad(net), torch.tensor([1.0, 2.0, 3.0]).double() @ second[0])
    torch.testing.assert_close(own_grad(net, "b"), (first[1]["b"] + second[1]["b"]) / 2)
    whole = torch.stack([loss.detach() for loss in net.losses(INPUTS).values()])
    torch.testing.assert_close(trace.losses, whole)


def test_held_weights_apply_to_the_mean_of_several_batches():
    net = Net()
    first, second = (expected(net, inputs=part) for part in INPUTS.tensor_split(2))
    run = engine(net, LastBatch(), every=2)
    step(net, run)
    trace = step(net, run)
    assert trace.gram is None
    torch.testing.assert_close(shared_grad(net), trace.weights @ (first[0] + second[0]) / 2)
    torch.testing.assert_close(own_grad(net, "b"), (first[1]["b"] + second[1]["b"]) / 2)


def test_a_row_holds_nothing_of_the_task_that_had_it_in_an_earlier_step():
    """Some shared parameters are not every task's: their part of a row is zero, whatever was there before."""

    class Two(Net):
        def losses(self, inputs, tasks=TASKS):
            found = super().losses(inputs, tasks)
            return {task: loss if task != "c" else self.second.weight.square().sum() for task, loss in found.items()}

    net = Two()
    run = engine(net, Descending())
    step(net, run)
    step(net, run, tasks=("c", "a"))
    found = shared_grad(net)
    losses = net.losses(INPUTS)
    rows = [torch.autograd.grad(losses[task], net.shared(), allow_unused=True) for task in ("c", "a")]
    assert rows[0][0] is None
    jacobian = torch.stack([flat(row, net.shared()) for row in rows])
    torch.testing.assert_close(found, torch.tensor([2.0, 4.0]).double() @ jacobian)


@pytest.mark.parametrize(("name", "rescale"), [("mgda", "sum"), ("mgda", "norm"), ("graddrop", "norm"), ("gls", "sum")])
def test_rescaling_keeps_the_direction_and_sets_the_length(name, rescale):
    paper, net = Net(), Net()
    jacobian, _ = expected(net)
    step(paper, engine(paper, load(name)))
    trace = step(net, engine(net, load(name), rescale=rescale))
    found, before = shared_grad(net), shared_grad(paper)
    assert torch.cosine_similarity(found, before, dim=0) == pytest.approx(1.0)
    if rescale == "sum":
        assert trace.weights.sum() == pytest.approx(3.0)
    else:
        assert found.norm() == pytest.approx(jacobian.sum(0).norm())


def test_own_weights_of_a_gradient_balancer():
    class Halves(Descending):
        def own_weights(self, losses, tasks):
            return torch.full_like(losses, 0.5)

    for options in ({}, {"memory": "gramian"}, {"every": 2}):
        net = Net()
        _, own = expected(net)
        run = engine(net, Halves(), **options)
        for _ in range(2):
            step(net, run)
            torch.testing.assert_close(own_grad(net, "a"), own["a"] / 2)


def test_weights_of_a_step_that_overflowed_are_not_held():
    net = Net()
    run = engine(net, load("mgda"), every=4)
    with torch.no_grad():
        net.first.weight *= float("inf")
    step(net, run, scale=2.0)
    assert run.state_dict() == {"held": {}, "steps_since_solve": 0}


class First(JacobianBalancer):
    """The update is a row itself."""

    def direction(self, jacobian, losses, tasks):
        return torch.eye(len(jacobian), dtype=jacobian.dtype)[0], jacobian[0]


class Added(nn.Module):
    """Shared p and q come in as their sum, and so do each task's own; `idle` is shared by tasks that have no row."""

    def __init__(self):
        super().__init__()
        names = ("p", "q", "idle", "a1", "a2", "b1", "b2")
        self.each = nn.ParameterDict({name: nn.Parameter(torch.tensor([1.0, 2.0])) for name in names})

    def losses(self):
        each = self.each
        common = each.p + each.q
        return {task: (common * (each[f"{task}1"] + each[f"{task}2"])).sum() * k for k, task in enumerate("ab", 1)}

    def groups(self):
        each = self.each
        own = {task: [each[f"{task}1"], each[f"{task}2"]] for task in "ab"}
        return ParameterGroups([each.p, each.q, each.idle], own)

    def grads(self):
        return {name: parameter.grad for name, parameter in self.each.items()}


FIXED = {"task_weights": {"a": 3.0, "b": 0.5}}
WAYS = {
    "one pass": (lambda: load("fixed", **FIXED), {}, False),
    "measured": (lambda: load("fixed", **FIXED), {}, True),
    "buffer": (Descending, {"heads": "weighted"}, False),
    "gramian": (Descending, {"heads": "weighted", "memory": "gramian"}, False),
    "held": (Descending, {"heads": "weighted", "every": 2}, False),
    "jacobian": (First, {"heads": "weighted"}, False),
}


@pytest.mark.parametrize("way", WAYS)
def test_parameters_that_are_added_up_have_gradients_of_their_own(way):
    """Autograd gives both the same tensor: what works in place, such as weights and clipping, would come twice."""
    make, settings, measure = WAYS[way]
    net = Added()
    run = Engine(net.groups(), make(), EngineSettings(**settings))
    for _ in range(2):
        net.zero_grad()
        trace = run.backward([net.losses()], ("a", "b"), measure=measure)
    found, (heavy, light) = net.grads(), trace.weights.tolist()
    for name, weight in (("a1", heavy), ("a2", heavy), ("b1", 2 * light), ("b2", 2 * light)):
        torch.testing.assert_close(found[name], weight * torch.tensor([2.0, 4.0]))
    torch.testing.assert_close(found["p"], found["q"])
    nn.utils.clip_grad_norm_(net.parameters(), 0.1)
    length = torch.cat([gradient for gradient in net.grads().values() if gradient is not None]).norm()
    torch.testing.assert_close(length, torch.tensor(0.1), rtol=1e-4, atol=0)


@pytest.mark.parametrize("way", WAYS)
def test_a_shared_parameter_that_no_task_reaches_stays_without_a_gradient(way):
    """A gradient of zero would let momentum and weight decay move it, and at measured steps alone."""
    make, settings, measure = WAYS[way]
    net = Added()
    run = Engine(net.groups(), make(), EngineSettings(**settings))
    run.backward([net.losses()], ("a", "b"), measure=measure)
    assert [name for name, gradient in net.grads().items() if gradient is None] == ["idle"]


def test_what_is_no_weighted_sum_may_move_every_shared_parameter():
    class Tracked(Signs):
        gives_weights = False

    net = Added()
    Engine(net.groups(), Tracked()).backward([net.losses()], ("a", "b"))
    assert net.each.idle.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("gradients", ["parameters", "features"])
def test_heads_learn_where_nothing_that_is_shared_does(gradients):
    net = Net()
    net.first.requires_grad_(False)
    net.second.requires_grad_(False)
    run = engine(net, Descending(), memory="gramian", gradients=gradients)
    step(net, run)
    other = Net()
    other.losses(INPUTS)["b"].backward()
    torch.testing.assert_close(own_grad(net, "b"), own_grad(other, "b"))


def test_an_update_that_is_a_row_outlives_the_next_step():
    net = Net()
    run = engine(net, First())
    step(net, run)
    before = [parameter.grad for parameter in net.shared()]
    kept = [gradient.clone() for gradient in before]
    step(net, run, INPUTS * 2)
    assert all(map(torch.equal, before, kept))
