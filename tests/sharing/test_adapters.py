from copy import deepcopy

import pytest
import torch

from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.mlp import MLP
from mtlrun.errors import ConfigError
from mtlrun.sharing.adapters import Adapters

TASKS = ["lane", "sign", "car"]
ALL = dict.fromkeys(TASKS)


def build_cnn() -> CNN:
    return CNN((3, 8, 8), channels=[4, 6])


def test_starts_as_the_body() -> None:
    plain = build_cnn()
    scheme = Adapters(lambda: deepcopy(plain), TASKS)
    inputs = torch.randn(5, 3, 8, 8)
    # times 1 and plus 0 are exact
    torch.testing.assert_close(scheme(inputs, ALL), dict.fromkeys(TASKS, plain(inputs)), rtol=0, atol=0)


@pytest.mark.parametrize("bottleneck", [None, 2])
def test_equals_residual_adapters_written_out(bottleneck: int | None) -> None:
    scheme = Adapters(lambda: MLP((5,), hidden=[4, 3]), TASKS, bottleneck=bottleneck)
    own = scheme.adapters["task_sign"]
    for parameter in own.parameters():
        torch.nn.init.normal_(parameter)
    inputs = torch.randn(6, 5)
    matrices = [(own[name].weight if bottleneck is None else own[name][1].weight @ own[name][0].weight) for name in own]
    first = scheme.bodies["task_lane"]["layer1"](inputs)
    first = first + first @ matrices[0].T
    second = scheme.bodies["task_lane"]["layer2"](first)
    torch.testing.assert_close(scheme(inputs, ALL)["sign"], [first, second + second @ matrices[1].T])


def test_bodies_are_one_but_for_normalisation() -> None:
    scheme = Adapters(build_cnn, TASKS)
    lane, car = (scheme.bodies[f"task_{task}"]["block1"] for task in ("lane", "car"))
    assert lane.conv1.weight is car.conv1.weight
    assert lane.norm1.weight is not car.norm1.weight
    assert scheme.shared_parameters() == [lane.conv1.weight, lane.conv2.weight, *shared_of(scheme, "block2")]
    assert scheme.last_shared_stage() == shared_of(scheme, "block2")


def shared_of(scheme: Adapters, stage: str) -> list[torch.nn.Parameter]:
    block = scheme.bodies["task_lane"][stage]
    return [block.conv1.weight, block.conv2.weight]


def test_statistics_of_a_task_see_its_rows_only() -> None:
    scheme = Adapters(build_cnn, TASKS)
    before = deepcopy(scheme.bodies["task_lane"]["block1"].norm1.running_mean)
    scheme(torch.randn(5, 3, 8, 8), {"sign": torch.tensor([0, 3])})
    assert torch.equal(scheme.bodies["task_lane"]["block1"].norm1.running_mean, before)
    assert not torch.equal(scheme.bodies["task_sign"]["block1"].norm1.running_mean, before)


def test_bodies_stay_one_when_moved_loaded_and_trained() -> None:
    scheme = Adapters(build_cnn, TASKS).double()
    scheme.load_state_dict(Adapters(build_cnn, TASKS).state_dict())
    optimizer = torch.optim.SGD(scheme.parameters(), lr=0.1)
    scheme(torch.randn(5, 3, 8, 8).double(), ALL)["sign"][-1].square().sum().backward()
    optimizer.step()
    lane, car = (scheme.bodies[f"task_{task}"]["block2"] for task in ("lane", "car"))
    assert lane.conv2.weight is car.conv2.weight


def test_a_frozen_body_stays_as_it_is() -> None:
    scheme = Adapters(build_cnn, TASKS, freeze=True)
    assert not any(parameter.requires_grad for parameter in scheme.shared_parameters())
    assert all(parameter.requires_grad for task in TASKS for parameter in scheme.task_parameters(task))
    scheme(torch.randn(5, 3, 8, 8), ALL)["sign"][-1].sum().backward()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze": "yes"}, "sharing.freeze must be true or false, found 'yes'"),
        ({"bottleneck": 0}, "sharing.bottleneck must be a whole number of at least 1, found 0"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Adapters(build_cnn, TASKS, **options)
    assert str(caught.value) == message
