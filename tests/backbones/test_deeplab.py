from pathlib import Path

import pytest
import torch
from torchvision import models
from torchvision.models.segmentation import deeplabv3_resnet50

from mtlrun.backbones.deeplab import DeepLab
from mtlrun.errors import ConfigError


def test_equals_torchvision(tmp_path: Path) -> None:
    """With the weights of a plain ResNet-50 and the same pyramid."""
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None).eval()
    plain = theirs.backbone.state_dict()
    torch.save({**plain, "fc.weight": torch.ones(3)}, tmp_path / "w.pth")
    ours = DeepLab((3, 48, 64), weights=str(tmp_path / "w.pth")).eval()
    ours.stages["aspp"].load_state_dict(theirs.classifier[0].state_dict())
    inputs = torch.randn(1, 3, 48, 64)
    with torch.no_grad():
        outputs = ours(inputs)
        body = theirs.backbone(inputs)["out"]
        expected = theirs.classifier[0](body)
    assert torch.equal(outputs[-2], body)  # the same layers on the same rows: the same bits
    assert torch.equal(outputs[-1], expected)  # the same layers on the same rows: the same bits
    assert plain.keys() == {name for name in models.resnet50().state_dict() if not name.startswith("fc.")}


@pytest.mark.parametrize(("side", "strides"), [(16, [4, 4, 8, 8, 8, 8]), (15, [1, 1, 2, 2, 2, 2])])
def test_features(side: int, strides: list[int]) -> None:
    with torch.device("meta"):
        features = DeepLab((1, side, side)).features
    assert [feature.name for feature in features] == ["stem", "layer1", "layer2", "layer3", "layer4", "aspp"]
    assert [feature.channels for feature in features] == [64, 256, 512, 1024, 2048, 256]
    assert [feature.stride for feature in features] == strides


def test_refuses() -> None:
    with pytest.raises(ConfigError, match=r"no backbone\.norm of this network 'layer'"), torch.device("meta"):
        DeepLab((3, 64, 64), norm="layer")
