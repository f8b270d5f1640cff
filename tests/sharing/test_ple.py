import pytest
import torch
from torch import Tensor, nn

from mtlrun.backbones.mlp import MLP
from mtlrun.errors import ConfigError
from mtlrun.sharing.cgc import CGC
from mtlrun.sharing.ple import PLE

TASKS = ["lane", "sign"]


def build_mlp() -> MLP:
    return MLP((5,), hidden=[4, 3, 2])


def gated(gate: nn.Module, values: Tensor, outputs: list[Tensor]) -> Tensor:
    weights = gate.linear(values).softmax(1)
    return sum(weights[:, e : e + 1] * output for e, output in enumerate(outputs))


def test_equals_the_paper_written_out() -> None:
    scheme = PLE(build_mlp, TASKS, task_experts=2, shared_experts=1)
    inputs, rows = torch.randn(6, 5), torch.tensor([4, 0])
    outputs = scheme(inputs, {"sign": rows})["sign"]
    x = scheme.trunk["layer1"](inputs)
    one, two = scheme.levels.values()
    shared = [expert(x) for expert in one.shared]
    own = {task: [expert(x) for expert in one.own[f"task_{task}"]] for task in TASKS}
    sign = gated(one.gating["task_sign"], x, own["sign"] + shared)
    common = gated(one.shared_gate, x, own["lane"] + own["sign"] + shared)
    last = [expert(sign) for expert in two.own["task_sign"]] + [expert(common) for expert in two.shared]
    expected = [x, sign, gated(two.gating["task_sign"], sign, last)]
    torch.testing.assert_close(outputs, [value[rows] for value in expected])
    weights = [one.gating["task_sign"](x)[rows], two.gating["task_sign"](sign)[rows]]
    means = {f"sign/level{number}": weight.mean(0).detach() for number, weight in enumerate(weights, 1)}
    torch.testing.assert_close(scheme.gates(), means)


def test_one_level_equals_cgc() -> None:
    schemes = []
    for kind in (PLE, CGC):
        torch.manual_seed(0)
        schemes.append(kind(build_mlp, TASKS, split="layer2", task_experts=2, shared_experts=3))
    inputs, rows = torch.randn(6, 5), {"lane": None, "sign": torch.tensor([1, 2])}
    torch.testing.assert_close(schemes[0](inputs, rows), schemes[1](inputs, rows))


def test_own_parameters_are_the_last_level_and_the_gate_before_it() -> None:
    scheme = PLE(build_mlp, TASKS)
    one, two = scheme.levels.values()
    own = [two.own["task_sign"], one.gating["task_sign"], two.gating["task_sign"]]
    assert scheme.task_parameters("sign") == [parameter for module in own for parameter in module.parameters()]
    assert scheme.last_shared_stage() == [*two.shared.parameters()]


def test_experts_of_absent_tasks_run_up_to_the_last_level() -> None:
    scheme, seen = PLE(build_mlp, TASKS), []
    for number, level in enumerate(scheme.levels.values()):
        (expert,) = level.own["task_lane"]
        expert.register_forward_hook(lambda _, inputs, output, number=number: seen.append((number, len(output))))
    scheme(torch.randn(6, 5), {"sign": torch.tensor([2, 3])})
    assert seen == [(0, 6)]


@pytest.mark.parametrize("option", ["task_experts", "shared_experts"])
def test_bad_number_of_experts(option: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PLE(build_mlp, TASKS, **{option: 0})
    assert str(caught.value) == f"sharing.{option} must be a whole number of at least 1, found 0"
