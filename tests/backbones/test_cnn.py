import pytest
import torch
from torch import nn

from mtlrun.backbones.cnn import CNN
from mtlrun.errors import ConfigError


@pytest.mark.parametrize(
    ("side", "small_input", "strides"),
    [
        (15, None, [1, 2, 4]),
        (16, None, [2, 4, 8]),
        (64, None, [2, 4, 8]),
        (64, True, [1, 2, 4]),
        (8, False, [2, 4, 8]),
    ],
)
def test_small_input(side: int, small_input: bool | None, strides: list[int]) -> None:
    network = CNN((3, side, side + 10), channels=[4, 6, 8], small_input=small_input)
    assert [feature.stride for feature in network.features] == strides
    assert [feature.channels for feature in network.features] == [4, 6, 8]
    assert [feature.name for feature in network.features] == ["block1", "block2", "block3"]


def test_automatic_threshold_follows_the_number_of_blocks() -> None:
    assert CNN((3, 16, 16), channels=[4] * 4).features[0].stride == 1
    assert CNN((3, 8, 8), channels=[4] * 2).features[0].stride == 2


@pytest.mark.parametrize(("norm", "kinds"), [("batch", {nn.BatchNorm2d}), ("group", {nn.GroupNorm}), ("none", set())])
def test_norm(norm: str, kinds: set[type[nn.Module]]) -> None:
    network = CNN((3, 16, 16), channels=[64, 20], norm=norm)
    for kind in (nn.BatchNorm2d, nn.GroupNorm):
        assert any(isinstance(module, kind) for module in network.modules()) == (kind in kinds)
    groups = [module.num_groups for module in network.modules() if isinstance(module, nn.GroupNorm)]
    assert groups in ([], [32, 32, 4, 4])


def test_takes_other_sizes() -> None:
    network = CNN((3, 32, 32), channels=[4, 4])
    assert not network.fixed_size
    assert network(torch.randn(2, 3, 20, 48))[-1].shape == (2, 4, 5, 12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": [0]}, "backbone.channels should be a list of positive whole numbers, found [0]"),
        ({"norm": "bach"}, "no backbone.norm 'bach'; did you mean 'batch'?"),
        ({"small_input": "yes"}, "backbone.small_input should be true, false or null, found 'yes'"),
    ],
)
def test_refuses(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CNN((3, 16, 16), **options)
    assert message in str(caught.value)
