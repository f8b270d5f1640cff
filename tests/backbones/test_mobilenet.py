from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from mtlrun.backbones.mobilenet import MobileNet
from mtlrun.errors import ConfigError


@pytest.mark.parametrize(
    ("size", "build"), [("large", models.mobilenet_v3_large), ("small", models.mobilenet_v3_small)]
)
def test_equals_torchvision(size: str, build: Callable[[], nn.Module], tmp_path: Path) -> None:
    theirs = build().eval()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    ours = MobileNet((3, 64, 64), size, weights=str(tmp_path / "w.pth")).eval()
    inputs = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(inputs)[-1], theirs.features(inputs))  # the same layers on the same rows: the same bits


@pytest.mark.parametrize(("size", "channels"), [("large", [16, 24, 40, 112, 960]), ("small", [16, 16, 24, 48, 576])])
@pytest.mark.parametrize(("side", "finest"), [(64, 2), (63, 1)])
def test_features(size: str, channels: list[int], side: int, finest: int) -> None:
    with torch.device("meta"):
        backbone = MobileNet((1, side, side), size)
        outputs = backbone(torch.randn(2, 1, side, side))
    assert [feature.name for feature in backbone.features] == ["stem", "stage1", "stage2", "stage3", "stage4"]
    assert [feature.channels for feature in backbone.features] == channels
    assert [feature.stride for feature in backbone.features] == [finest << i for i in range(5)]
    assert [output.shape[2] for output in outputs] == [-(-side // (finest << i)) for i in range(5)]


def test_refuses() -> None:
    with pytest.raises(ConfigError, match=r"no backbone\.size 'medium'"):
        MobileNet((3, 32, 32), "medium")
    with pytest.raises(ConfigError, match=r"no backbone\.norm of this network 'none'"):
        MobileNet((3, 32, 32), norm="none")


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("size", ["large", "small"])
def test_a_lone_pixel_is_trained_on(size: str, norm: str) -> None:
    assert MobileNet((3, 1, 1), size, norm)(torch.randn(1, 3, 1, 1))[-1].isfinite().all()
