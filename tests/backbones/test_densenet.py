from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from mtlrun.backbones.densenet import DenseNet
from mtlrun.errors import ConfigError


@pytest.mark.parametrize("old_names", [False, True])
def test_equals_torchvision(old_names: bool, tmp_path: Path) -> None:
    theirs = models.densenet121().eval()
    state = theirs.state_dict()
    if old_names:
        swaps = [(f".{part}{i}.", f".{part}.{i}.") for part in ("norm", "conv") for i in (1, 2)]
        for new, old in swaps:
            state = {name.replace(new, old) if "denselayer" in name else name: state[name] for name in state}
        assert "features.denseblock1.denselayer1.norm.1.weight" in state
    torch.save(state, tmp_path / "w.pth")
    ours = DenseNet((3, 64, 64), weights=str(tmp_path / "w.pth")).eval()
    inputs = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        # the same layers on the same rows: the same bits
        assert torch.equal(ours(inputs)[-1], torch.relu(theirs.features(inputs)))


@pytest.mark.parametrize(("side", "strides"), [(64, [4, 4, 8, 16, 32]), (63, [1, 1, 2, 4, 8])])
def test_features(side: int, strides: list[int]) -> None:
    with torch.device("meta"):
        features = DenseNet((1, side, side)).features
    assert [feature.name for feature in features] == ["stem", "block1", "block2", "block3", "block4"]
    assert [feature.channels for feature in features] == [64, 256, 512, 1024, 1024]
    assert [feature.stride for feature in features] == strides


def test_group_norm_replaces_all_batch_norms() -> None:
    with torch.device("meta"):
        modules = [*DenseNet((3, 64, 64), norm="group").modules()]
    assert sum(isinstance(module, nn.GroupNorm) for module in modules) == 121
    assert not any(isinstance(module, nn.BatchNorm2d) for module in modules)


def test_refuses_vectors() -> None:
    with pytest.raises(ConfigError, match="backbone=densenet121 takes images"):
        DenseNet((12,))
