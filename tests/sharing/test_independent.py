import torch

from mtlrun.backbones.mlp import MLP
from mtlrun.sharing.independent import Independent

TASKS = ["lane", "sign"]


def build_mlp() -> MLP:
    return MLP((5,), hidden=[4, 4])


def test_each_task_has_a_network_of_its_own() -> None:
    scheme = Independent(build_mlp, TASKS)
    inputs, rows = torch.randn(6, 5), torch.tensor([4, 0])
    outputs = scheme(inputs, {"lane": None, "sign": rows})
    torch.testing.assert_close(outputs["lane"], scheme.networks["task_lane"](inputs))
    torch.testing.assert_close(outputs["sign"], scheme.networks["task_sign"](inputs[rows]))
    assert scheme.shared_parameters() == []
    assert scheme.last_shared_stage() == []


def test_a_network_runs_on_its_rows_only() -> None:
    scheme = Independent(build_mlp, TASKS)
    seen = []
    for network in scheme.networks.values():
        network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    scheme(torch.randn(6, 5), {"sign": torch.tensor([3])})
    assert seen == [1]


def test_training_together_equals_training_alone() -> None:
    together = Independent(build_mlp, TASKS)
    alone = build_mlp()
    alone.load_state_dict(together.networks["task_sign"].state_dict())
    inputs = torch.randn(6, 5)
    outputs = together(inputs, {"lane": None, "sign": None})
    (outputs["lane"][-1].square().sum() + outputs["sign"][-1].square().sum()).backward()
    alone(inputs)[-1].square().sum().backward()
    for one, other in zip(together.task_parameters("sign"), alone.parameters()):
        torch.testing.assert_close(one.grad, other.grad)
