from pathlib import Path

import pytest
import torch
from torchvision.models.swin_transformer import SwinTransformer

from mtlrun.backbones import swin
from mtlrun.backbones.swin import Swin
from mtlrun.errors import ConfigError


def narrow(drop_path: float) -> SwinTransformer:
    return SwinTransformer(
        [4, 4], 8, [2, 1, 1, 1], [1, 2, 2, 4], [7, 7], stochastic_depth_prob=drop_path, num_classes=5
    )


def test_equals_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swin, "build", narrow)
    theirs = narrow(0.2).eval()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    ours = Swin((3, 64, 100), weights=str(tmp_path / "w.pth")).eval()
    inputs = torch.randn(2, 3, 64, 100)
    with torch.no_grad():
        outputs = ours(inputs)
        expected = theirs.permute(theirs.norm(theirs.features(inputs)))
    assert torch.equal(outputs[-1], expected)  # the same layers on the same rows: the same bits
    assert [output.shape[1] for output in outputs] == [8, 8, 16, 32, 64]


@pytest.mark.parametrize(("side", "finest"), [(64, 4), (63, 1), (70, 4)])
def test_features(side: int, finest: int) -> None:
    with torch.device("meta"):
        backbone = Swin((3, side, side))
        outputs = backbone(torch.randn(1, 3, side, side))
    assert [feature.name for feature in backbone.features] == ["stem", "stage1", "stage2", "stage3", "stage4"]
    assert [feature.channels for feature in backbone.features] == [96, 96, 192, 384, 768]
    assert [feature.stride for feature in backbone.features] == [finest << i for i in (0, 0, 1, 2, 3)]
    assert [output.shape[3] for output in outputs] == [-(-side // (finest << i)) for i in (0, 0, 1, 2, 3)]


def test_refuses() -> None:
    with pytest.raises(ConfigError, match=r"backbone\.drop_path must be at least 0 and below 1, found -0\.1"):
        Swin((3, 64, 64), drop_path=-0.1)
