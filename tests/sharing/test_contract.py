"""What every sharing scheme in conf/sharing promises, checked with autograd."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache, partial
from importlib import import_module
from inspect import isabstract

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import Tensor, nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.lenet import LeNet
from mtlrun.backbones.mlp import MLP
from mtlrun.backbones.molecule import Molecule
from mtlrun.backbones.resnet import ResNet
from mtlrun.backbones.transformer import Transformer
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF
from mtlrun.sharing.base import Sharing
from mtlrun.types import Feature, select

NAMES = sorted(path.stem for path in (CONF / "sharing").glob("*.yaml"))
OPTIONS = [
    *(("hard", {"split": split}) for split in ("block1", "block2", "block3")),
    ("soft", {"penalty": "trace_norm"}),
    ("groups", {"groups": [["lane", "values"], ["type"]], "split": "block1"}),
    ("groups", {"groups": [["type"], ["lane", "values"]], "split": "block2"}),
    ("groups", {"groups": {"block1": [["lane", "values"], ["type"]], "block2": [["lane"], ["values"], ["type"]]}}),
    ("cross_stitch", {"sluice": 2}),
    ("film", {"split": "block2", "hidden": None}),
    ("film", {"descriptors": {"values": [1, 0.5], "lane": [0, 1], "type": [-1, 2]}}),
    ("conditioned", {"join": "multiply"}),
    ("conditioned", {"join": "both", "split": "block3"}),
    ("mtan", {"reduction": 3}),
    ("mmoe", {"split": "block2", "experts": 2}),
    ("cgc", {"task_experts": 2, "shared_experts": 3}),
    ("ple", {"task_experts": 2, "shared_experts": 2}),
    ("ple", {"split": "block2"}),
    ("dselect_k", {"experts": 3, "k": 1}),
    ("adapters", {"bottleneck": 2}),
    ("adapters", {"freeze": True}),
    ("lora", {"layers": None, "freeze": False}),
    ("lora", {"layers": ["value"], "rank": 2, "freeze": False}),
]
NEED_LINEAR_LAYERS = {"lora"}
CASES = [(name, {}) for name in NAMES] + OPTIONS
TASKS = ["lane", "type", "values"]  # the last two are also attributes of nn.ModuleDict
ROWS = {
    "all": {"lane": None, "type": None, "values": None},
    "some": {"lane": torch.tensor([0, 2]), "type": torch.tensor([1, 2, 3]), "values": None},
}


def build_cnn(norm: str = "group") -> CNN:
    return CNN((3, 8, 8), channels=[4, 6, 8], norm=norm)


class _Pixelwise(nn.Module):
    """Two linear layers at every pixel, with the names that layers of an attention have."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.value = nn.Linear(channels, channels), nn.Linear(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        pixels = maps.movedim(1, -1)
        return maps + self.value(self.query(pixels).tanh()).movedim(-1, 1)


def build_for(name: str, norm: str = "group") -> Backbone:
    """A CNN, with linear layers after its blocks for the schemes that need some."""
    network = build_cnn(norm)
    if name in NEED_LINEAR_LAYERS:
        for feature in network.features:
            network.stages[feature.name] = nn.Sequential(network.stages[feature.name], _Pixelwise(feature.channels))
    return network


def build(
    name: str, tasks: list[str], options: dict[str, object], backbone: Callable[[], Backbone] | None = None
) -> Sharing:
    """The scheme as it is initialised; options keep what they say of `tasks`."""
    backbone = backbone or partial(build_for, name)
    settings = OmegaConf.to_container(OmegaConf.load(CONF / "sharing" / f"{name}.yaml")) | options
    if tasks != TASKS:
        settings |= {key: None for key in ("groups", "descriptors") if key in settings}
    torch.manual_seed(0)
    return get_class(settings.pop("_target_"))(backbone=backbone, tasks=tasks, **settings)


def trained(scheme: Sharing) -> Sharing:
    """The scheme as after some training: what starts at zero, and so hides what lies behind it, has moved."""
    with torch.no_grad():
        for parameter in scheme.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return scheme


def project(outputs: list[Tensor]) -> Tensor:
    """A generic number that every stage output enters."""
    return sum((output * torch.randn_like(output)).sum() for output in outputs)


def influenced(scheme: Sharing, inputs: Tensor, rows: dict[str, Tensor | None]) -> dict[str, set[str]]:
    """Per task the names of the trainable parameters that its outputs depend on."""
    outputs = scheme(inputs, rows)
    parameters = {name: value for name, value in scheme.named_parameters() if value.requires_grad}
    found = {}
    for task in outputs:
        gradients = torch.autograd.grad(
            project(outputs[task]), [*parameters.values()], retain_graph=True, allow_unused=True
        )
        found[task] = {name for name, gradient in zip(parameters, gradients) if gradient is not None and gradient.any()}
    return found


def trainable_names(scheme: Sharing, parameters: Iterable[nn.Parameter]) -> set[str]:
    listed = [id(parameter) for parameter in parameters]
    assert len(listed) == len({*listed}), "a parameter is listed twice"
    return {name for name, value in scheme.named_parameters() if id(value) in listed and value.requires_grad}


def check_claims(scheme: Sharing, rows: dict[str, Tensor | None]) -> None:
    seen = influenced(scheme, torch.randn(4, 3, 8, 8), rows)
    count = {
        name: sum(name in names for names in seen.values())
        for name, value in scheme.named_parameters()
        if value.requires_grad
    }
    assert trainable_names(scheme, scheme.shared_parameters()) == {name for name in count if count[name] >= 2}
    for task in scheme.tasks:
        own = {name for name in seen[task] if count[name] == 1}
        assert trainable_names(scheme, scheme.task_parameters(task)) == own
    assert all(count.values()), "a parameter influences no task"


def test_every_scheme_has_its_yaml() -> None:
    modules = [path.stem for path in (CONF.parent / "mtlrun" / "sharing").glob("*.py")]
    schemes = [
        stem
        for stem in modules
        for value in vars(import_module(f"mtlrun.sharing.{stem}")).values()
        if isinstance(value, type)
        and issubclass(value, Sharing)
        and value.__module__ == f"mtlrun.sharing.{stem}"
        and not isabstract(value)
    ]
    assert sorted(schemes) == NAMES
    assert len(NAMES) >= 13


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_claims_about_parameters_are_true(name: str, options: dict, rows: str) -> None:
    check_claims(trained(build(name, TASKS, options)), ROWS[rows])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_claims_hold_with_statistics_of_the_batch(name: str, options: dict) -> None:
    """Through batch normalisation a row influences others: it must not carry one task's parameters to another."""
    check_claims(trained(build(name, TASKS, options, lambda: build_for(name, "batch"))), ROWS["some"])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_claims_hold_with_frozen_parameters(name: str, options: dict) -> None:
    scheme = trained(build(name, TASKS, options))
    for parameter in [*scheme.parameters()][::3]:
        parameter.requires_grad_(False)
    check_claims(scheme, ROWS["all"])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_one_task_shares_nothing(name: str, options: dict) -> None:
    scheme = trained(build(name, TASKS[:1], options))
    check_claims(scheme, {"lane": None})
    assert scheme.shared_parameters() == []
    assert scheme.last_shared_stage() == []
    assert scheme.trunk_end() is None


@pytest.mark.parametrize(("name", "options"), CASES)
def test_last_shared_stage_is_part_of_what_is_shared(name: str, options: dict) -> None:
    scheme = build(name, TASKS, options)
    shared, last = ({id(value) for value in part} for part in (scheme.shared_parameters(), scheme.last_shared_stage()))
    assert last <= shared
    assert bool(last) == bool(shared)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_outputs_match_features_and_rows(name: str, options: dict) -> None:
    scheme = build(name, TASKS, options)
    outputs = scheme(torch.randn(4, 3, 8, 8), ROWS["some"])
    assert [*outputs] == TASKS
    for task, count in zip(TASKS, (2, 3, 4)):
        assert [describe(output, count) for output in outputs[task]] == [
            (feature.channels, feature.stride) for feature in scheme.features
        ]
    assert all(isinstance(feature, Feature) for feature in scheme.features)


def describe(output: Tensor, rows: int) -> tuple[int, int | None]:
    assert len(output) == rows
    return output.shape[1], 8 // output.shape[2] if output.dim() == 4 else None


@pytest.mark.parametrize(("name", "options"), CASES)
def test_rows_select_what_the_whole_batch_would_give(name: str, options: dict) -> None:
    """Group normalisation lets no row see another, so selecting before and after must agree."""
    scheme = trained(build(name, TASKS, options)).eval()
    inputs = torch.randn(4, 3, 8, 8)
    whole, some = scheme(inputs, ROWS["all"]), scheme(inputs, ROWS["some"])
    for task, rows in ROWS["some"].items():
        for one, other in zip(whole[task], some[task]):
            torch.testing.assert_close(one if rows is None else one[rows], other)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_absent_tasks_are_left_out(name: str, options: dict) -> None:
    scheme = trained(build(name, TASKS, options))
    seen = influenced(scheme, torch.randn(4, 3, 8, 8), {"type": torch.tensor([1])})
    assert [*seen] == ["type"]
    for other in ("lane", "values"):
        assert not seen["type"] & trainable_names(scheme, scheme.task_parameters(other))


@pytest.mark.parametrize(("name", "options"), CASES)
def test_state_loads_into_a_fresh_scheme(name: str, options: dict) -> None:
    scheme, fresh = build(name, TASKS, options).eval(), build(name, TASKS, options).eval()
    for parameter in scheme.parameters():
        nn.init.normal_(parameter)
    fresh.load_state_dict(scheme.state_dict())
    inputs = torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(fresh(inputs, ROWS["all"]), scheme(inputs, ROWS["all"]))


@pytest.mark.parametrize(("name", "options"), CASES)
def test_same_seed_same_parameters(name: str, options: dict) -> None:
    one, other = build(name, TASKS, options).state_dict(), build(name, TASKS, options).state_dict()
    assert [*one] == [*other]
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("backbone", "count"),
    [
        *(("mlp", 3), ("mlp", 1), ("lenet", 3), ("lenet", 1), ("cnn", 3), ("cnn", 1), ("resnet", 2)),
        *(("transformer", 3), ("transformer", 1)),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_works_with_every_backbone(name: str, backbone: str, count: int) -> None:
    make, inputs, tasks = *BACKBONES[backbone], TASKS[:count]
    options = {"layers": None} if name in NEED_LINEAR_LAYERS else {}
    with torch.device("meta" if backbone == "resnet" else "cpu"):
        if options and backbone in WITHOUT_LINEAR_LAYERS:
            with pytest.raises(ConfigError, match=r"this backbone has none: choose sharing=\w+$"):
                build(name, tasks, options, make)
            return
        scheme = build(name, tasks, options, make)
        rows = {task: None if task == "type" else torch.tensor([1]) for task in tasks}
        outputs = scheme(inputs(), rows)
        sum(output.sum() for stages in outputs.values() for output in stages).backward()
    for task in tasks:
        described = [(output.shape[1], output.dim() == 4) for output in outputs[task]]
        assert described == [
            (feature.channels + feature.carried, feature.stride is not None) for feature in scheme.features
        ]
        assert {len(output) for output in outputs[task]} == {3 if task == "type" else 1}


def some_text() -> Tensor:
    """Three rows of tokens and their segments, [3, 7, 2], two of them with padding."""
    rows = torch.stack([torch.randint(20, (3, 7)), torch.tensor([[1] * 3 + [2] * 4, [1] * 2 + [0] * 5, [1] * 7])], 2)
    rows[2, 5:] = 0
    return rows


def build_transformer() -> Transformer:
    return Transformer((7, 2), vocabulary=20, width=8, layers=2, heads=2)


BACKBONES = {
    "mlp": (lambda: MLP((5,), hidden=[8, 6], norm="batch"), lambda: torch.randn(3, 5)),
    "lenet": (lambda: LeNet((1, 20, 16)), lambda: torch.randn(3, 1, 20, 16)),
    "cnn": (lambda: CNN((3, 9, 9), channels=[4, 6, 8]), lambda: torch.randn(3, 3, 11, 9)),
    "resnet": (lambda: deepcopy(meta_resnet()), lambda: torch.randn(3, 3, 16, 16)),
    "transformer": (build_transformer, some_text),
}
WITHOUT_LINEAR_LAYERS = {"cnn", "resnet"}


def some_molecules() -> Tensor:
    """Three rows of atoms, [3, 5, 4], two of them with padding."""
    atoms = torch.cat([torch.randint(1, 9, (3, 5, 1)), 2 * torch.randn(3, 5, 3)], 2)
    atoms[1, 2:], atoms[2, 4:] = 0, 0
    return atoms


CARRIERS = {
    "transformer": BACKBONES["transformer"],
    "molecule": (lambda: Molecule((5, 4), channels=8, interactions=2, gaussians=5), some_molecules),
}


@pytest.mark.parametrize("backbone", CARRIERS)
@pytest.mark.parametrize("name", NAMES)
def test_what_a_map_carries_reaches_the_heads_untouched(name: str, backbone: str) -> None:
    make, inputs = CARRIERS[backbone][0], CARRIERS[backbone][1]()
    first = make()(inputs)[0]
    carried = first[:, make().features[0].channels :]
    scheme = trained(build(name, TASKS, {"layers": None} if name in NEED_LINEAR_LAYERS else {}, make))
    rows = {"lane": torch.tensor([0, 2]), "type": torch.tensor([1]), "values": None}
    with torch.autocast("cpu", torch.bfloat16):
        outputs = scheme(inputs, rows)
    for task in TASKS:
        for feature, output in zip(scheme.features[:-1], outputs[task]):
            assert torch.equal(output[:, feature.channels :], select(carried, rows[task]))


@cache
def meta_resnet() -> ResNet:
    """Without numbers, since its arithmetic would take seconds; made once."""
    with torch.device("meta"):
        return ResNet((3, 16, 16), depth=18)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_works_under_autocast(name: str, options: dict) -> None:
    scheme = trained(build(name, TASKS, options))
    with torch.autocast("cpu", torch.bfloat16):
        outputs = scheme(torch.randn(4, 3, 8, 8), ROWS["some"])
        loss = sum(output.float().square().mean() for stages in outputs.values() for output in stages)
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in scheme.parameters() if parameter.grad is not None)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_penalty_depends_on_parameters_alone(name: str, options: dict) -> None:
    scheme = trained(build(name, TASKS, options))
    before = scheme.penalty()
    scheme(torch.randn(4, 3, 8, 8), ROWS["some"])
    after = scheme.penalty()
    assert (before is None) == (after is None)
    if before is not None:
        torch.testing.assert_close(after, before, rtol=0, atol=0)
        assert before.shape == ()
        before.backward()
    for parameter in scheme.requires_grad_(False).parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()
    assert scheme.penalty() is None, "nothing can be trained"


@pytest.mark.parametrize(("name", "options"), CASES)
def test_gates_are_the_means_of_the_last_pass(name: str, options: dict) -> None:
    scheme = build(name, TASKS, options)
    assert scheme.gates() == {}
    scheme(torch.randn(4, 3, 8, 8), {"type": torch.tensor([1])})
    gates = scheme.gates()
    assert {gate.partition("/")[0] for gate in gates} <= {"type"}
    for weights in gates.values():
        assert weights.dim() == 1
        assert not weights.requires_grad
        assert (weights >= 0).all()
        torch.testing.assert_close(scheme.gates(), gates)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_trunk_end_carries_what_all_tasks_see(name: str, options: dict) -> None:
    scheme, seen = build(name, TASKS, options), []
    end = scheme.trunk_end()
    if end is None:
        return
    end.register_forward_hook(lambda module, inputs, output: seen.append(output))
    outputs = scheme(torch.randn(4, 3, 8, 8), ROWS["some"])
    for task in TASKS:
        (gradient,) = torch.autograd.grad(project(outputs[task][-1:]), seen, retain_graph=True)
        assert gradient.any()
