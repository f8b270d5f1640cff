from pathlib import Path

import pytest
import torch
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.convnext import ConvNeXt as Torchvision

from mtlrun.backbones import convnext
from mtlrun.backbones.convnext import ConvNeXt
from mtlrun.errors import ConfigError


def narrow(drop_path: float) -> Torchvision:
    settings = [CNBlockConfig(8 << i, None if i == 3 else 16 << i, 1 + i % 2) for i in range(4)]
    return Torchvision(settings, stochastic_depth_prob=drop_path, num_classes=5)


def test_equals_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convnext, "build", narrow)
    theirs = narrow(0.1).eval()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    ours = ConvNeXt((3, 64, 96), weights=str(tmp_path / "w.pth")).eval()
    inputs = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        outputs = ours(inputs)
        expected = theirs.features(inputs)
    assert torch.equal(outputs[-1], expected)  # the same layers on the same rows: the same bits
    assert [output.shape[1] for output in outputs] == [8, 8, 16, 32, 64]


@pytest.mark.parametrize(("side", "finest"), [(64, 4), (63, 1), (70, 4)])
def test_features(side: int, finest: int) -> None:
    with torch.device("meta"):
        backbone = ConvNeXt((3, side, side))
        outputs = backbone(torch.randn(1, 3, side, side))
    assert [feature.name for feature in backbone.features] == ["stem", "stage1", "stage2", "stage3", "stage4"]
    assert [feature.channels for feature in backbone.features] == [96, 96, 192, 384, 768]
    assert [feature.stride for feature in backbone.features] == [finest << i for i in (0, 0, 1, 2, 3)]
    assert [output.shape[3] for output in outputs] == [-(-side // (finest << i)) for i in (0, 0, 1, 2, 3)]


def test_refuses() -> None:
    with pytest.raises(ConfigError, match=r"backbone\.drop_path must be at least 0 and below 1, found 1"):
        ConvNeXt((3, 64, 64), drop_path=1)
