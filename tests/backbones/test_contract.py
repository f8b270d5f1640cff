"""What every backbone in conf/backbone promises."""

import inspect
from itertools import product

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from sampling import sampled

from mtlrun.backbones.base import Backbone
from mtlrun.contracts.backbone import PROMISES, BackboneSubject, features_describe_the_outputs, trains_on_one_row
from mtlrun.contracts.promise import Promise
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

NAMES = sorted(path.stem for path in (CONF / "backbone").glob("*.yaml"))
VECTOR_BACKBONES = {"mlp", "linear", "point"}  # they take rows of any shape
TEXT_NAMES = ["bert", "transformer"]
NO_IMAGES = {"molecule", "mpnn", "tabular", *TEXT_NAMES}  # see test_molecule.py, test_mpnn.py and test_tabular.py
IMAGE_NAMES = sorted({*NAMES} - NO_IMAGES)
OPTIONAL = {"timm": "timm", "bert": "transformers"}  # the package that a backbone needs
LIGHT = {"mlp", "linear", "point", "cnn", "cnn_slim", "cnn_slim_group", "lenet"}
SHAPES = [(3, 64, 64), (1, 28, 33)]
DEEPER = {"resnet34", "resnet50"}
"""Of the layers that others have too."""
LONG = {*DEEPER, "densenet121", "deeplab_resnet50"}
"""Those with the most layers."""


def build(name: str, shape: tuple[int, ...]) -> Backbone:
    settings = OmegaConf.to_container(OmegaConf.load(CONF / "backbone" / f"{name}.yaml"), resolve=True)
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name])
    return get_class(settings.pop("_target_"))(input_shape=shape, **settings)


def test_issue_backbones_are_there() -> None:
    plain = {"mlp", "lenet", "cnn", "resnet18", "resnet34", "resnet50", "densenet121", "mobilenet_v3", "vit_b_16"}
    assert plain | {"swin_t", "convnext_tiny", "deeplab_resnet50", "segnet", "timm", "bert", "transformer"} <= {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_yaml_states_every_option(name: str) -> None:
    settings = OmegaConf.load(CONF / "backbone" / f"{name}.yaml")
    parameters = dict(inspect.signature(get_class(settings._target_)).parameters)
    for of_the_data in ("input_shape", "columns"):
        parameters.pop(of_the_data, None)
    assert {*settings} - {"_target_"} == {*parameters}
    assert ("folder" if name == "bert" else "weights") in parameters


@pytest.mark.parametrize("name", sorted({*NAMES} - {"cnn_slim", "cnn_slim_group"}))  # which are there to differ
def test_yaml_gives_the_class_own_defaults(name: str) -> None:
    settings = OmegaConf.load(CONF / "backbone" / f"{name}.yaml")
    parameters = inspect.signature(get_class(settings._target_)).parameters
    for option in parameters.keys() - {"depth", "input_shape", "columns"}:
        default = parameters[option].default
        assert settings[option] == (list(default) if isinstance(default, tuple) else default)


def subject(name: str, shape: tuple[int, ...], rows: int = 2) -> BackboneSubject:
    made = torch.ones(rows, *shape, dtype=torch.long) if name in TEXT_NAMES else torch.randn(rows, *shape)
    return BackboneSubject(lambda: build(name, shape), made)


@pytest.mark.parametrize(
    ("name", "shape"),
    sampled(product(IMAGE_NAMES, SHAPES), [*product({*IMAGE_NAMES} - DEEPER, SHAPES[:1]), *product(LIGHT, SHAPES)]),
)
def test_features_describe_the_outputs(name: str, shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):  # shapes and the graph without values: a ResNet-50 takes milliseconds
        features_describe_the_outputs.look(subject(name, shape))


@pytest.mark.parametrize("name", sampled(IMAGE_NAMES, {*IMAGE_NAMES} - LONG))
def test_trains_every_parameter_even_on_a_single_row(name: str) -> None:
    with torch.device("meta"):
        trains_on_one_row.look(subject(name, (3, 16, 16)))


@pytest.mark.parametrize("promise", PROMISES, ids=str)
@pytest.mark.parametrize("name", [*TEXT_NAMES, *sorted({*IMAGE_NAMES} & LIGHT)])
def test_promise(promise: Promise[BackboneSubject], name: str) -> None:
    promise.check(subject(name, (12, 2) if name in TEXT_NAMES else (3, 32, 32)))


@pytest.mark.slow
@pytest.mark.parametrize("promise", PROMISES, ids=str)
@pytest.mark.parametrize("name", sorted({*IMAGE_NAMES} - LIGHT))
def test_promise_of_heavy_ones(promise: Promise[BackboneSubject], name: str) -> None:
    promise.check(subject(name, (3, 32, 32)))


@pytest.mark.parametrize("name", sampled(sorted({*NAMES} - NO_IMAGES), LIGHT))
def test_has_a_graph_for_any_number_of_rows(name: str) -> None:
    with torch.device("meta"):
        made, rows = build(name, (3, 64, 64)).eval(), torch.empty(3, 3, 64, 64)
        torch.export.export(made, (rows,), dynamic_shapes=({0: torch.export.Dim("batch", max=2**20)},))


@pytest.mark.parametrize("length", [12, 1])
@pytest.mark.parametrize("name", TEXT_NAMES)
def test_features_of_text(name: str, length: int) -> None:
    backbone = build(name, (length, 2))
    features_describe_the_outputs.check(subject(name, (length, 2)))
    assert [(feature.stride, feature.carried) for feature in backbone.features[:-1]] == [(1, 1)] * (
        len(backbone.features) - 1
    )
    assert (backbone.features[-1].name, backbone.features[-1].stride) == ("pool", None)


@pytest.mark.parametrize("name", sorted({*NAMES} - VECTOR_BACKBONES - {*TEXT_NAMES}))
def test_text_is_sent_to_transformer(name: str) -> None:
    with pytest.raises(ConfigError, match=r"found rows of shape \(12, 2\): choose backbone=transformer$"):
        build(name, (12, 2))


@pytest.mark.parametrize("name", sorted({*NAMES} - VECTOR_BACKBONES - {"molecule"}))
def test_molecules_are_sent_to_molecule(name: str) -> None:
    with pytest.raises(ConfigError, match=r"found rows of shape \(9, 4\): choose backbone=molecule$"):
        build(name, (9, 4))


@pytest.mark.parametrize("name", sorted({*NAMES} - VECTOR_BACKBONES - {"tabular"}))
def test_vectors_are_sent_to_mlp(name: str) -> None:
    with pytest.raises(ConfigError, match=r"found rows of shape \(12,\): choose backbone=mlp$"):
        build(name, (12,))
