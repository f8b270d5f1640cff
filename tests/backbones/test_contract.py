"""What every backbone in conf/backbone promises."""

import inspect
from collections.abc import Iterator

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf

from mtlrun.backbones.base import Backbone
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

NAMES = sorted(path.stem for path in (CONF / "backbone").glob("*.yaml"))
VECTOR_BACKBONES = {"mlp", "linear", "point"}  # they take rows of any shape
TEXT_NAMES = ["bert", "transformer"]
NO_IMAGES = {"molecule", *TEXT_NAMES}  # for rows of atoms see test_molecule.py
IMAGE_NAMES = sorted({*NAMES} - NO_IMAGES)
OPTIONAL = {"timm": "timm", "bert": "transformers"}  # the package that a backbone needs
SHAPES = [(3, 64, 64), (1, 28, 33)]


def build(name: str, shape: tuple[int, ...]) -> Backbone:
    settings = OmegaConf.to_container(OmegaConf.load(CONF / "backbone" / f"{name}.yaml"), resolve=True)
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name])
    return get_class(settings.pop("_target_"))(input_shape=shape, **settings)


@pytest.fixture
def no_arithmetic() -> Iterator[None]:
    """Shapes and the graph without values: a ResNet-50 takes milliseconds."""
    with torch.device("meta"):
        yield


def test_issue_backbones_are_there() -> None:
    plain = {"mlp", "lenet", "cnn", "resnet18", "resnet34", "resnet50", "densenet121", "mobilenet_v3", "vit_b_16"}
    assert plain | {"swin_t", "convnext_tiny", "deeplab_resnet50", "segnet", "timm", "bert", "transformer"} <= {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_yaml_states_every_option(name: str) -> None:
    settings = OmegaConf.load(CONF / "backbone" / f"{name}.yaml")
    parameters = dict(inspect.signature(get_class(settings._target_)).parameters)
    del parameters["input_shape"]
    assert {*settings} - {"_target_"} == {*parameters}
    assert ("folder" if name == "bert" else "weights") in parameters


@pytest.mark.parametrize("name", sorted({*NAMES} - {"cnn_slim", "cnn_slim_group"}))  # which are there to differ
def test_yaml_gives_the_class_own_defaults(name: str) -> None:
    settings = OmegaConf.load(CONF / "backbone" / f"{name}.yaml")
    parameters = inspect.signature(get_class(settings._target_)).parameters
    for option in parameters.keys() - {"depth", "input_shape"}:
        default = parameters[option].default
        assert settings[option] == (list(default) if isinstance(default, tuple) else default)


@pytest.mark.usefixtures("no_arithmetic")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", IMAGE_NAMES)
def test_features_describe_the_outputs(name: str, shape: tuple[int, int, int]) -> None:
    backbone = build(name, shape)
    outputs = backbone(torch.randn(2, *shape))
    assert len(outputs) == len(backbone.features)
    for feature, output in zip(backbone.features, outputs):
        assert output.shape[:2] == (2, feature.channels), feature
        assert (feature.stride is None) == (output.dim() == 2), feature
        if feature.stride and not backbone.fixed_size:
            assert output.shape[2:] == tuple(-(-side // feature.stride) for side in shape[1:]), feature


@pytest.mark.usefixtures("no_arithmetic")
@pytest.mark.parametrize("name", IMAGE_NAMES)
def test_trains_every_parameter_even_on_a_single_row(name: str) -> None:
    backbone = build(name, (3, 16, 16)).train()
    outputs = backbone(torch.randn(1, 3, 16, 16))
    outputs[-1].sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


@pytest.mark.parametrize("length", [12, 1])
@pytest.mark.parametrize("name", TEXT_NAMES)
def test_features_describe_the_outputs_on_text(name: str, length: int) -> None:
    backbone = build(name, (length, 2))
    outputs = backbone(torch.ones(2, length, 2, dtype=torch.long))
    assert len(outputs) == len(backbone.features)
    for feature, output in zip(backbone.features[:-1], outputs):
        assert output.shape == (2, feature.channels + feature.carried, 1, length), feature
        assert (feature.stride, feature.carried) == (1, 1)
    assert outputs[-1].shape == (2, backbone.features[-1].channels)
    assert (backbone.features[-1].name, backbone.features[-1].stride) == ("pool", None)


@pytest.mark.parametrize("name", TEXT_NAMES)
def test_trains_every_parameter_even_on_a_single_text(name: str) -> None:
    backbone = build(name, (12, 2)).train()
    backbone(torch.ones(1, 12, 2, dtype=torch.long))[-1].sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


@pytest.mark.parametrize("name", sorted({*NAMES} - VECTOR_BACKBONES - {*TEXT_NAMES}))
def test_text_is_sent_to_transformer(name: str) -> None:
    with pytest.raises(ConfigError, match=r"found rows of shape \(12, 2\): choose backbone=transformer$"):
        build(name, (12, 2))


@pytest.mark.parametrize("name", sorted({*NAMES} - VECTOR_BACKBONES - {"molecule"}))
def test_molecules_are_sent_to_molecule(name: str) -> None:
    with pytest.raises(ConfigError, match=r"found rows of shape \(9, 4\): choose backbone=molecule$"):
        build(name, (9, 4))


@pytest.mark.parametrize("name", sorted({*NAMES} - VECTOR_BACKBONES))
def test_vectors_are_sent_to_mlp(name: str) -> None:
    with pytest.raises(ConfigError, match=r"found rows of shape \(12,\): choose backbone=mlp$"):
        build(name, (12,))
