import pytest
import torch
from torch import nn

from mtlrun.backbones.mlp import MLP
from mtlrun.errors import ConfigError
from mtlrun.sharing.groups import Groups
from mtlrun.sharing.hard import Hard
from mtlrun.sharing.module_names import group_key

TASKS = ["detection", "drivable", "lane", "sign"]
PAIRS = [["detection", "drivable"], ["lane", "sign"]]
TREE = {"layer1": PAIRS, "layer2": [["detection"], ["drivable"], ["sign", "lane"]]}
ALL = dict.fromkeys(TASKS)


def build_mlp() -> MLP:
    return MLP((5,), hidden=[4, 4, 4])


def modules(scheme: Groups) -> dict[str, list[str]]:
    """Per stage the names under which it is there."""
    return {name: [key.replace("task_", "") for key in scheme.stages[name]] for name in scheme.stages}


def counted(module: nn.Module) -> list[int]:
    seen: list[int] = []
    module.register_forward_hook(lambda _, inputs, output: seen.append(len(output)))
    return seen


def test_members_of_a_group_stay_together() -> None:
    scheme = Groups(build_mlp, TASKS, PAIRS, split="layer1")
    assert modules(scheme) == {
        "layer1": ["detection+drivable+lane+sign"],
        "layer2": ["detection+drivable", "lane+sign"],
        "layer3": ["detection+drivable", "lane+sign"],
    }
    outputs = scheme(torch.randn(6, 5), ALL)
    assert all(torch.equal(*pair) for pair in zip(outputs["lane"], outputs["sign"]))  # computed once, for both
    assert torch.equal(outputs["detection"][0], outputs["lane"][0])  # computed once, for both
    assert not torch.equal(outputs["detection"][1], outputs["lane"][1])


def test_the_trunk_ends_with_the_last_stage_that_all_tasks_share() -> None:
    scheme = Groups(build_mlp, TASKS, PAIRS, split="layer2")
    assert scheme.trunk_end() is scheme.stages["layer2"][group_key(TASKS)]


def test_a_tree_parts_twice() -> None:
    scheme = Groups(build_mlp, TASKS, TREE)
    assert modules(scheme)["layer3"] == ["detection", "drivable", "lane+sign"]
    inputs = torch.randn(6, 5)
    first = scheme.stages["layer1"][group_key(TASKS)](inputs)
    second = scheme.stages["layer2"][group_key(PAIRS[0])](first)
    third = scheme.stages["layer3"]["task_drivable"](second)
    torch.testing.assert_close(scheme(inputs, ALL)["drivable"], [first, second, third])
    assert scheme.task_parameters("drivable") == [*scheme.stages["layer3"]["task_drivable"].parameters()]
    assert scheme.task_parameters("lane") == []


def test_none_puts_every_task_alone_after_the_split() -> None:
    torch.manual_seed(0)
    scheme = Groups(build_mlp, TASKS, split="layer2")
    torch.manual_seed(0)
    hard = Hard(build_mlp, TASKS, split="layer2")
    inputs = torch.randn(6, 5)
    torch.testing.assert_close(scheme(inputs, ALL), hard(inputs, ALL))


def test_stages_run_once_per_group_and_on_the_rows_of_a_task_alone() -> None:
    scheme = Groups(build_mlp, TASKS, PAIRS, split="layer1")
    trunk = counted(scheme.stages["layer1"][group_key(TASKS)])
    first, second = (counted(scheme.stages["layer3"][group_key(pair)]) for pair in PAIRS)
    scheme(torch.randn(6, 5), {"detection": torch.tensor([0, 1]), "drivable": None, "sign": torch.tensor([3])})
    scheme(torch.randn(6, 5), {"sign": torch.tensor([3, 5])})
    assert (trunk, first, second) == ([6, 2], [6], [1, 2])


def test_builds_one_backbone_per_leaf() -> None:
    built: list[MLP] = []
    Groups(lambda: built.append(build_mlp()) or built[-1], TASKS, TREE)
    assert len(built) == 3


def test_last_shared_stage() -> None:
    whole = Groups(build_mlp, TASKS, PAIRS)
    assert whole.last_shared_stage() == [*whole.stages["layer3"].parameters()]
    tree = Groups(build_mlp, TASKS, TREE)
    assert tree.last_shared_stage() == [*tree.stages["layer3"][group_key(PAIRS[1])].parameters()]


def test_trunk_end_is_the_last_stage_of_all() -> None:
    scheme = Groups(build_mlp, TASKS, TREE)
    assert scheme.trunk_end() is scheme.stages["layer1"][group_key(TASKS)]
    assert Groups(build_mlp, TASKS, PAIRS).trunk_end() is None


@pytest.mark.parametrize(
    ("groups", "split", "message"),
    [
        (PAIRS, "layer4", "no stage for sharing.split 'layer4'; did you mean 'layer3'? (there are: "),
        ([["lanes"]], None, "no task for sharing.groups 'lanes'; did you mean 'lane'? (there are: "),
        (PAIRS[:1], None, "sharing.groups must have every task in one group, and 'lane' is in no group"),
        ([*PAIRS, ["lane"]], None, "sharing.groups must have every task in one group, and 'lane' is in two groups"),
        (["detection"], None, "sharing.groups must be lists of tasks such as [[a,b],[c]], found ['detection']"),
        ([TASKS, []], None, "sharing.groups must be lists of tasks such as [[a,b],[c]], found [["),
        (3, None, "sharing.groups must be lists of tasks such as [[a,b],[c]], found 3"),
        (TREE, "layer1", "sharing.split=layer1: the stages of a tree are the keys of sharing.groups, leave it null"),
        (PAIRS, "layer3", "sharing.split: no stage is left to part after layer3, name an earlier one or choose"),
        (TREE | {"layer3": PAIRS}, None, "sharing.groups: no stage is left to part after layer3, name an earlier one"),
        ({}, None, "sharing.groups={} parts no tasks: name a stage, or choose sharing=hard"),
        ({"layer0": PAIRS}, None, "no stage for sharing.groups 'layer0'; did you mean 'layer3'?"),
        (
            {"layer1": PAIRS, "layer2": [["drivable", "lane"], ["detection"], ["sign"]]},
            None,
            "sharing.groups: drivable, lane have parted at an earlier stage and cannot join again",
        ),
    ],
)
def test_bad_options(groups: object, split: str | None, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Groups(build_mlp, TASKS, groups, split)
    assert str(caught.value).startswith(message)
