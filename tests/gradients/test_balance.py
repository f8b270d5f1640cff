"""`mtlrun.balance` in a loop of one's own gives what the trainer gives, and refuses what it cannot serve in a line."""

import copy
import subprocess
import sys

import pytest
import torch
from small_net import INPUTS, TASKS, Net, expected, own_grad, shared_grad
from torch import nn

import mtlrun
from mtlrun.balancers.base import LossBalancer
from mtlrun.config.build import build
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.errors import ConfigError, NonFiniteError
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.base import TrainingProgress
from mtlrun.training.model import task_losses
from mtlrun.training.step import train_step

STEPS = 5
KINDS = {
    "losses, one pass": ["balancer=uncertainty"],
    "losses after the step": ["balancer=famo"],
    "gram": ["balancer=pcgrad"],
    "gram, held weights": ["balancer=cagrad", "balancer.every=2", "balancer.c=0.4"],
    "gram, part by part": ["balancer=nash_mtl", "balancer.memory=gramian", "balancer.rescale=norm"],
    "gram, last stage": ["balancer=gradnorm"],
    "gram, features": ["balancer=mgda", "balancer.gradients=features"],
    "gram, three batches": ["balancer=modo"],
    "gradients": ["balancer=graddrop"],
    "gradients, weights of the heads": ["balancer=db_mtl"],
}


def trainers(folder, words):
    """The trainer of a small command, and a twin of its network with a loop of one's own."""
    basics = ["task=study_subspace", "tasks=[task1,task2,task3]", "trainer.batch_size=12", "optimizer.lr=0.01"]
    trainer = build(without_hydra(compose([*basics, "trainer.device=cpu", *words])), RunFolder(folder))
    twin = copy.deepcopy(trainer.model)  # before the first step; hooks of the trainer's own are left behind
    for module in twin.modules():
        module._forward_hooks.clear()
    return trainer, twin


def batches(trainer):
    progress = (TrainingProgress(step, 0, step / STEPS) for step in range(STEPS))
    return [*trainer.loader.batches(trainer.sampler.next(moment) for moment in progress)]


def arguments(twin, words):
    """The words of the command as arguments of `balance`."""
    pairs = [word.removeprefix("balancer.").split("=") for word in words[1:]]
    found = {key: float(value) if "." in value else int(value) if value.isdigit() else value for key, value in pairs}
    name = words[0].removeprefix("balancer=")
    if name == "gradnorm":
        found["last_stage"] = twin.sharing.last_shared_stage()
    if name == "modo":
        found["batches"] = 3
    if found.get("gradients") == "features":
        found["features"] = twin.sharing.trunk_end()
    return name, found


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_the_trainers_steps(kind, tmp_path):
    trainer, twin = trainers(tmp_path, KINDS[kind])
    name, options = arguments(twin, KINDS[kind])
    step = mtlrun.balance(name, shared=twin.sharing.shared_parameters(), tasks=[*trainer.tasks], **options)
    optimizer = type(trainer.stepper.optimizer)(twin.parameters(), lr=0.01)
    for batch in batches(trainer):
        trace = train_step(trainer.stepper, batch, measure=False)
        optimizer.zero_grad()
        for counts, (micro,) in zip(batch.counts, batch.micro):
            complete = step.backward(task_losses(twin, trainer.tasks, micro, counts))
        assert complete
        optimizer.step()
        if step.balancer.observes:
            step.observe(task_losses(twin, trainer.tasks, batch.micro[0][0], batch.counts[0]))
        torch.testing.assert_close(step.trace.losses, trace.losses)
        if trace.weights is not None:
            torch.testing.assert_close(step.trace.weights, trace.weights)
    for mine, theirs in zip(twin.parameters(), trainer.model.parameters()):
        torch.testing.assert_close(mine, theirs)


def test_heads_are_found_and_the_gradients_are_those_of_the_engine():
    net = Net()
    jacobian, own = expected(net)
    step = mtlrun.balance("pcgrad", shared=net.shared())
    assert step.backward(net.losses(INPUTS))
    weights = torch.tensor([*step.weights.values()]).double()
    torch.testing.assert_close(shared_grad(net), weights @ jacobian)
    for task in TASKS:
        torch.testing.assert_close(own_grad(net, task), own[task])
    torch.testing.assert_close(torch.tensor([*step.norms.values()]), jacobian.norm(dim=1).float())
    cosine = torch.cosine_similarity(jacobian[0], jacobian[2], 0)
    assert step.cosines["a", "c"] == pytest.approx(float(cosine))
    assert step.to_log()["cosine/a/c"] == step.cosines["a", "c"]
    assert {"loss/a", "weight/b", "norm/c"} <= step.to_log().keys()


@pytest.mark.parametrize("name", ["uncertainty", "cagrad", "graddrop"])
def test_gradients_add_to_those_that_were_there(name):
    net, fresh = Net(), Net()
    mtlrun.balance(name, shared=fresh.shared()).backward(fresh.losses(INPUTS))
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    mtlrun.balance(name, shared=net.shared()).backward(net.losses(INPUTS))
    for mine, alone in zip(net.parameters(), fresh.parameters()):
        torch.testing.assert_close(mine.grad, alone.grad + 1)


@pytest.mark.parametrize("name", ["equal", "dwa", "pcgrad", "graddrop"])
def test_micro_batches_make_one_step(name):
    whole, parts = Net(), Net()
    mtlrun.balance(name, shared=whole.shared()).backward(whole.losses(INPUTS))
    step = mtlrun.balance(name, shared=parts.shared())
    calls = []
    for piece in INPUTS.tensor_split(3):
        losses = {task: loss / 3 for task, loss in parts.losses(piece).items()}
        calls.append(step.backward(losses, micro_batches=3))
    assert calls == [False, False, True]
    for mine, alone in zip(parts.parameters(), whole.parameters()):
        torch.testing.assert_close(mine.grad, alone.grad)


def test_tasks_may_come_with_a_later_micro_batch_or_step():
    net = Net()
    jacobian, own = expected(net)
    step = mtlrun.balance("equal", shared=net.shared())
    assert not step.backward(net.losses(INPUTS, ("a",)), tasks=("a", "b"), micro_batches=2)
    assert step.backward(net.losses(INPUTS, ("b",)))
    torch.testing.assert_close(shared_grad(net), jacobian[:2].sum(0))
    torch.testing.assert_close(own_grad(net, "b"), own["b"])
    net.zero_grad()
    step.backward(net.losses(INPUTS, ("c", "a")))
    torch.testing.assert_close(shared_grad(net), jacobian[[0, 2]].sum(0))
    assert step.trace.tasks == ("a", "c")
    assert all(parameter.grad is None for parameter in net.own()["b"])


def test_frozen_parts_stay_out_and_may_thaw():
    net = Net()
    net.first.requires_grad_(False)
    step = mtlrun.balance("cagrad", shared=net.shared(), c=0.4, every=2)
    step.backward(net.losses(INPUTS))
    assert all(parameter.grad is None for parameter in net.first.parameters())
    net.first.requires_grad_(True)
    net.zero_grad()
    step.backward(net.losses(INPUTS))  # with the weights of the step before
    jacobian, _ = expected(net)
    torch.testing.assert_close(shared_grad(net), torch.tensor([*step.weights.values()]).double() @ jacobian)
    assert step.norms == {}


def test_the_state_goes_on_exactly():
    def run(step, net, count):
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
        for _ in range(count):
            optimizer.zero_grad()
            step.backward(net.losses(INPUTS))
            optimizer.step()

    straight, broken = Net(), Net()
    run(mtlrun.balance("gradvac", shared=straight.shared(), every=2), straight, 5)
    first = mtlrun.balance("gradvac", shared=broken.shared(), every=2)
    run(first, broken, 3)
    second = mtlrun.balance("gradvac", shared=broken.shared(), every=2, seed=9)
    second.load_state_dict(first.state_dict())
    run(second, broken, 2)
    for mine, theirs in zip(broken.parameters(), straight.parameters()):
        torch.testing.assert_close(mine, theirs)
    with pytest.raises(ConfigError, match="the state is that of GradVac, and this balancer is PCGrad"):
        mtlrun.balance("pcgrad", shared=broken.shared()).load_state_dict(first.state_dict())


def test_the_scaler_unscales_as_ever():
    net, scaled = Net().float(), Net().float()
    mtlrun.balance("mgda", shared=net.shared()).backward(net.losses(INPUTS.float()))
    scaler, optimizer = torch.amp.GradScaler("cpu", init_scale=1024.0), torch.optim.SGD(scaled.parameters(), lr=0.1)
    step = mtlrun.balance("mgda", shared=scaled.shared(), scaler=scaler)
    step.backward(scaled.losses(INPUTS.float()))
    torch.testing.assert_close(shared_grad(scaled), 1024 * shared_grad(net))
    scaler.unscale_(optimizer)
    for mine, theirs in zip(scaled.parameters(), net.parameters()):
        torch.testing.assert_close(mine.grad, theirs.grad)
    scaler.step(optimizer)
    scaler.update()


def test_autocast_losses_of_half_precision_are_taken():
    net = Net().float()
    step = mtlrun.balance("pcgrad", shared=net.shared())
    with torch.autocast("cpu", torch.bfloat16):
        losses = {task: loss.bfloat16() for task, loss in net.losses(INPUTS.float()).items()}
    step.backward(losses)
    assert all(parameter.grad.dtype == torch.float32 for parameter in net.parameters())


def test_a_failed_step_leaves_nothing_behind():
    net = Net()
    step = mtlrun.balance("pcgrad", shared=net.shared())
    kept = net.heads["b"].weight.clone()
    net.heads["b"].weight.data.fill_(float("nan"))
    net.heads["a"].bias.grad = torch.ones_like(net.heads["a"].bias)
    with pytest.raises(NonFiniteError, match="'b'"):
        step.backward(net.losses(INPUTS))
    there = [(name, parameter.grad.item()) for name, parameter in net.named_parameters() if parameter.grad is not None]
    assert there == [("heads.a.bias", 1.0)]
    net.heads["b"].weight.data.copy_(kept)
    net.zero_grad()
    assert step.backward(net.losses(INPUTS))
    assert torch.isfinite(shared_grad(net)).all()


def test_a_balancer_of_ones_own():
    class Ones(LossBalancer):
        def weights(self, losses, tasks):
            return torch.ones_like(losses)

    net = Net()
    jacobian, _ = expected(net)
    mtlrun.balance(Ones(), shared=net.shared(), rescale="sum").backward(net.losses(INPUTS), measure=True)
    torch.testing.assert_close(shared_grad(net), jacobian.sum(0))


class InTwo(LossBalancer):
    batches = 2

    def weights(self, losses, tasks):
        return torch.ones_like(losses)


REFUSED = {
    "InTwo reads losses and takes 2 batches a step: only methods that compare gradients can": (InTwo(), {}),
    "no balancer 'pcgrd'; did you mean 'pcgrad'": ("pcgrd", {}),
    "no option of balancer 'cagrad' 'evry'; did you mean 'every'": ("cagrad", {"evry": 2}),
    "balancer.c=high: must be a number, like the default 0.5": ("cagrad", {"c": "high"}),
    "balancer.c must be a number >= 0, found -1": ("cagrad", {"c": -1}),
    "balancer.every=0: must be 1 or more": ("cagrad", {"every": 0}),
    "balancer.every=1.5: must be a whole number": ("cagrad", {"every": 1.5}),
    "no balancer.memory 'gram'": ("cagrad", {"memory": "gram"}),
    "balancer.rescale=norm: Uncertainty sees no gradients": ("uncertainty", {"rescale": "norm"}),
    "no option of balancer 'uncertainty' 'every'": ("uncertainty", {"every": 2}),
    "give last_stage=LAYER.parameters": ("gradnorm", {}),
    "go together": ("mgda", {"gradients": "features"}),
    "MoDo takes 3 independent batches a step: say batches=3": ("modo", {}),
    "tasks should be a list": ("equal", {"tasks": "ab"}),
    "shared has no parameter": ("equal", {"shared": []}),
    "shared must be parameters, found a Linear": ("equal", {"shared": nn.Linear(2, 2)}),
    "shared must be parameters, found a str": ("equal", {"shared": ["weight"]}),
    "is 'shared' too": ("equal", {"task_specific": {"a": ()}}),
    "must have one type and device, found float32 on cpu and float64 on cpu": ("equal", {"shared": None}),
    "all of them are frozen: choose 'equal'": ("pcgrad", {"shared": [nn.Parameter(torch.ones(1), False)]}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_mistake_is_told_in_a_line(words):
    name, options = REFUSED[words]
    net = Net()
    if "shared" in options and options["shared"] is None:
        options = {"shared": [*net.shared(), nn.Parameter(torch.ones(1))]}
    if "task_specific" in options:
        options = {"task_specific": {"a": net.shared()[:1]}}
    with pytest.raises(ConfigError) as told:
        mtlrun.balance(name, **{"shared": net.shared(), **options})
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_wrong_losses_are_told():
    net = Net()
    step = mtlrun.balance("fixed", shared=net.shared(), task_weights={"c": 2.0})
    losses = net.losses(INPUTS)
    wrong = {
        "must be one number, found shape": {"a": torch.ones(2)},
        "depends on no parameter that learns": {"b": losses["b"].detach()},
        "no task has a loss": {},
    }
    for words, given in wrong.items():
        with pytest.raises(ConfigError, match=words):
            step.backward(given)
    with pytest.raises(ConfigError, match="some come in later steps only, name all"):
        step.backward({"a": losses["a"]})
    named = mtlrun.balance("fixed", shared=net.shared(), task_weights={"c": 2.0}, tasks=TASKS)
    named.backward({"a": losses["a"]})
    with pytest.raises(ConfigError, match="no task 'z'"):
        named.backward({"z": net.losses(INPUTS)["a"]})


def test_a_parameter_of_two_tasks_that_is_not_shared_is_told():
    net = Net()
    with pytest.raises(ConfigError, match=r"shape \[6.*\] influences the losses of 'a' and 'b' and is not among"):
        mtlrun.balance("pcgrad", shared=net.first.parameters()).backward(net.losses(INPUTS))


def test_famo_asks_for_the_losses_after_the_step():
    net = Net()
    step = mtlrun.balance("famo", shared=net.shared())
    step.backward(net.losses(INPUTS))
    with pytest.raises(ConfigError, match=r"FAMO compares .* call observe\("):
        step.backward(net.losses(INPUTS))
    step.load_state_dict(mtlrun.balance("famo", shared=net.shared()).state_dict())
    assert step.backward(net.losses(INPUTS))  # that state was taken between two steps
    with pytest.raises(ConfigError, match="observe: PCGrad does not ask"):
        mtlrun.balance("pcgrad", shared=net.shared()).observe({})


def test_it_loads_neither_hydra_nor_what_the_trainer_needs():
    code = (
        "import sys, mtlrun; mtlrun.balance; from mtlrun.balancers import load; load('cagrad', c=0.4); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" in loaded
    assert not {"hydra", "omegaconf", "torchvision", "matplotlib", "torchmetrics"} & {*loaded}
