"""What every sharing scheme in conf/sharing promises, checked with autograd."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache, partial
from importlib import import_module
from inspect import isabstract
from itertools import product

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from sampling import sampled
from schemes import ON_ANY_BACKBONE, ONE_BACKBONE, SCHEMES
from torch import Tensor, nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.lenet import LeNet
from mtlrun.backbones.mlp import MLP
from mtlrun.backbones.molecule import Molecule
from mtlrun.backbones.resnet import ResNet
from mtlrun.backbones.segnet import SegNet
from mtlrun.backbones.transformer import Transformer
from mtlrun.contracts.promise import Promise, Skipped
from mtlrun.contracts.sharing import (
    PROMISES,
    SharingSubject,
    claims_are_true,
    outputs_match_features,
    trained,
    trunk_end_is_seen,
)
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF
from mtlrun.sharing.backbone_paths import note_paths
from mtlrun.sharing.base import Sharing
from mtlrun.types import select

NAMES = SCHEMES
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
    """A CNN, with linear layers after its blocks for the schemes that need some, or the one backbone of a scheme."""
    if name in ONE_BACKBONE:
        return SegNet((3, 8, 8), channels=[4, 6])
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


def subject(name: str, options: dict[str, object], norm: str = "group") -> SharingSubject:
    def make(tasks: Sequence[str]) -> Sharing:
        return build(name, list(tasks), options, lambda: note_paths(build_for(name, norm)))

    return SharingSubject(make, torch.randn(4, 3, 8, 8), tuple(TASKS))


ABOUT_OPTIONS = {outputs_match_features, claims_are_true}
"""What an option of a scheme changes: which layers there are, for which tasks. The others are about its code."""
ALWAYS = [(promise, name, options) for promise in PROMISES for name, options in CASES]


@pytest.mark.parametrize(
    ("promise", "name", "options"),
    sampled(ALWAYS, [case for case in ALWAYS if not case[2] or case[0] in ABOUT_OPTIONS]),
    ids=lambda value: str(value) if isinstance(value, Promise) else None,
)
def test_promise(promise: Promise[SharingSubject], name: str, options: dict) -> None:
    scheme = subject(name, options)
    try:
        promise.check(scheme)
    except Skipped:
        assert scheme.scheme().trunk_end() is None
        assert promise is trunk_end_is_seen


@pytest.mark.parametrize(("name", "options"), sampled(CASES, [case for case in CASES if not case[1]]))
def test_claims_hold_with_statistics_of_the_batch(name: str, options: dict) -> None:
    """Through batch normalisation a row influences others: it must not carry one task's parameters to another."""
    claims_are_true.check(subject(name, options, "batch"))


EACH_BACKBONE = [("mlp", 3), ("mlp", 1), ("lenet", 3), ("cnn", 3), ("transformer", 3)]
IN_BLOCKS = ("adapters", "cross_stitch", "mtan", "ple")
"""One of each sort of what is put between blocks, on a ResNet, where it takes longest."""


@pytest.mark.parametrize(
    ("name", "backbone", "count"),
    sampled(
        product(ON_ANY_BACKBONE, ("mlp", "lenet", "cnn", "transformer", "resnet"), (3, 1)),
        [
            *((name, *case) for name in ON_ANY_BACKBONE for case in EACH_BACKBONE),
            *((name, "resnet", 3) for name in IN_BLOCKS),
        ],
    ),
)
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
@pytest.mark.parametrize("name", ON_ANY_BACKBONE)
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
