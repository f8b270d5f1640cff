from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from mtlrun.backbones.resnet import ResNet
from mtlrun.errors import ConfigError


@pytest.mark.parametrize(("depth", "build"), [(18, models.resnet18), (50, models.resnet50)])
def test_equals_torchvision(depth: int, build: Callable[[], nn.Module], tmp_path: Path) -> None:
    theirs = build().eval()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours = ResNet((3, 64, 64), depth=depth, weights=str(tmp_path / "weights.pth")).eval()
    inputs = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(inputs))))
        for i, output in enumerate(ours(inputs)):
            expected = expected if i == 0 else getattr(theirs, f"layer{i}")(expected)
            assert torch.equal(output, expected)  # the same layers on the same rows: the same bits
    own = sum(parameter.numel() for parameter in ours.parameters())
    assert own == sum(parameter.numel() for parameter in theirs.parameters()) - sum(
        parameter.numel() for parameter in theirs.fc.parameters()
    )


@pytest.mark.parametrize(("depth", "channels"), [(18, [64, 64, 128, 256, 512]), (50, [64, 256, 512, 1024, 2048])])
@pytest.mark.parametrize(
    ("side", "small_input", "strides"),
    [
        (63, None, [1, 1, 2, 4, 8]),
        (64, None, [4, 4, 8, 16, 32]),
        (64, True, [1, 1, 2, 4, 8]),
        (32, False, [4, 4, 8, 16, 32]),
    ],
)
def test_features(depth: int, channels: list[int], side: int, small_input: bool | None, strides: list[int]) -> None:
    with torch.device("meta"):
        features = ResNet((3, side, 80), depth=depth, small_input=small_input).features
    assert [feature.name for feature in features] == ["stem", "layer1", "layer2", "layer3", "layer4"]
    assert [feature.channels for feature in features] == channels
    assert [feature.stride for feature in features] == strides


@pytest.mark.parametrize(("shape", "kernel"), [((1, 64, 64), 7), ((5, 28, 28), 3)])
def test_other_numbers_of_channels(shape: tuple[int, int, int], kernel: int) -> None:
    conv1 = ResNet(shape).stages["stem"].conv1
    assert conv1.weight.shape == (64, shape[0], kernel, kernel)
    expected = (2 / (64 * kernel**2)) ** 0.5  # He initialisation by fan-out, as torchvision's other convolutions
    assert conv1.weight.std().item() == pytest.approx(expected, rel=0.1)


def test_group_norm_replaces_all_batch_norms() -> None:
    with torch.device("meta"):
        modules = [*ResNet((3, 32, 32), norm="group").modules()]
    assert sum(isinstance(module, nn.GroupNorm) for module in modules) == 20
    assert not any(isinstance(module, nn.BatchNorm2d) for module in modules)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 101}, "no backbone.depth '101' (there are: 18, 34, 50)"),
        ({"norm": "none"}, "no backbone.norm of a resnet 'none' (there are: batch, group)"),
        ({"small_input": 3}, "backbone.small_input should be true, false or null, found 3"),
    ],
)
def test_refuses(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ResNet((3, 32, 32), **options)
    assert message in str(caught.value)
