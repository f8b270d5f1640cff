import weakref

import pytest
import torch
from torch import nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.mlp import MLP
from mtlrun.backbones.resnet import ResNet
from mtlrun.errors import ConfigError
from mtlrun.sharing.hard import Hard
from mtlrun.types import Feature

TASKS = ["lane", "sign", "car"]


def build_mlp() -> MLP:
    return MLP((5,), hidden=[4, 4, 4])


def count_rows(module: nn.Module, seen: list[int]) -> None:
    module.register_forward_hook(lambda _, inputs, output: seen.append(len(output)))


def test_trunk_runs_once_and_branches_on_their_rows() -> None:
    scheme = Hard(build_mlp, TASKS, split="layer2")
    trunk, lane, car = [], [], []
    count_rows(scheme.trunk["layer1"], trunk)
    count_rows(scheme.branches["task_lane"]["layer3"], lane)
    count_rows(scheme.branches["task_car"]["layer3"], car)
    scheme(torch.randn(6, 5), {"lane": torch.tensor([1, 2]), "sign": None})
    assert (trunk, lane, car) == ([6], [2], [])


def test_equals_stages_written_out() -> None:
    scheme = Hard(build_mlp, TASKS, split="layer1")
    inputs, rows = torch.randn(6, 5), torch.tensor([4, 0])
    first = scheme.trunk["layer1"](inputs)[rows]
    second = scheme.branches["task_sign"]["layer2"](first)
    third = scheme.branches["task_sign"]["layer3"](second)
    torch.testing.assert_close(scheme(inputs, {"sign": rows})["sign"], [first, second, third])


def test_branches_start_from_different_values() -> None:
    scheme = Hard(build_mlp, TASKS, split="layer2")
    weights = [scheme.branches[f"task_{task}"]["layer3"].linear.weight for task in TASKS]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])


@pytest.mark.parametrize(("split", "calls"), [(None, 1), ("layer3", 1), ("layer2", len(TASKS)), ("layer1", len(TASKS))])
def test_builds_and_keeps_no_more_than_needed(split: str | None, calls: int) -> None:
    built, alive = [], []

    def build() -> MLP:
        alive.append(sum(backbone() is not None for backbone in built))
        backbone = build_mlp()
        built.append(weakref.ref(backbone))
        return backbone

    Hard(build, TASKS, split)
    assert len(built) == calls
    assert max(alive) <= 1


def test_resnet50_after_layer3_shares_40_layers_and_gives_10() -> None:
    with torch.device("meta"):
        scheme = Hard(lambda: ResNet((3, 64, 64), depth=50), TASKS, split="layer3")
    assert count_layers(scheme.trunk) == 40
    assert count_layers(scheme.branches["task_car"]) == 9  # and the head


def count_layers(module: nn.Module) -> int:
    """Weighted layers in the papers' way of counting: shortcuts are left out."""
    named = module.named_modules()
    return sum(isinstance(layer, nn.Conv2d) and "downsample" not in name for name, layer in named)


def test_last_shared_stage() -> None:
    scheme = Hard(build_mlp, TASKS, split="layer2")
    assert [id(value) for value in scheme.last_shared_stage()] == [
        id(value) for value in scheme.trunk["layer2"].parameters()
    ]


def test_last_shared_stage_passes_over_stages_without_parameters() -> None:
    stages = {"linear": nn.Linear(5, 4), "relu": nn.ReLU(), "out": nn.Linear(4, 3)}
    features = [Feature("linear", 4, None), Feature("relu", 4, None), Feature("out", 3, None)]
    scheme = Hard(lambda: Backbone(stages, features), TASKS, split="relu")
    assert len(scheme.last_shared_stage()) == 2


def test_unknown_split() -> None:
    with pytest.raises(ConfigError) as caught:
        Hard(build_mlp, TASKS, split="laye2")
    assert str(caught.value) == (
        "no stage for sharing.split 'laye2'; did you mean 'layer2'? (there are: layer1, layer2, layer3)"
    )
