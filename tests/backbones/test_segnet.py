from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, max_unpool2d

from mtlrun.backbones.segnet import SegNet
from mtlrun.errors import ConfigError

SMALL = [4, 6, 8]


def test_as_many_parameters_as_the_papers_network() -> None:
    """24,981,069 with the segmentation head: the number that the authors' code takes as its unit."""
    with torch.device("meta"):
        own = sum(parameter.numel() for parameter in SegNet((3, 288, 384)).parameters())
        other = sum(parameter.numel() for parameter in SegNet((3, 288, 384), unpooling=False).parameters())
    segmentation_head = (64 * 64 * 9 + 64) + (64 * 13 + 13)
    assert own == other
    assert own + segmentation_head == 24_981_069


def straight(network: SegNet, values: Tensor) -> Tensor:
    """The network of SMALL, written down level by level."""
    whole = network.stages["segnet"]
    indices = []
    for level in range(3):
        values, index = max_pool2d(whole.encoder[level](values), 2, return_indices=True)
        indices.append(index)
    for level in range(3):
        values = whole.decoder[level](max_unpool2d(values, indices[2 - level], 2))
    return values


def test_unpooling_returns_to_the_maxima() -> None:
    network = SegNet((3, 16, 24), SMALL).eval()
    inputs = torch.randn(2, 3, 16, 24)
    [output] = network(inputs)
    assert output.shape == (2, 4, 16, 24)
    assert torch.equal(output, straight(network, inputs))  # the same layers on the same rows: the same bits


def test_sides_that_cannot_be_halved_are_padded() -> None:
    network = SegNet((3, 13, 18), SMALL).eval()
    inputs = torch.randn(2, 3, 13, 18)
    [output] = network(inputs)
    padded = straight(network, nn.functional.pad(inputs, (0, 6, 0, 3)))
    assert torch.equal(output, padded[..., :13, :18])  # the same layers on the same rows: the same bits


def test_levels_are_stages_without_unpooling() -> None:
    network = SegNet((3, 13, 18), SMALL, unpooling=False)
    outputs = network(torch.randn(2, 3, 13, 18))
    assert [feature.name for feature in network.features] == ["enc1", "enc2", "enc3", "dec3", "dec2", "dec1"]
    assert [tuple(output.shape[1:]) for output in outputs] == [
        (4, 7, 9),
        (6, 4, 5),
        (8, 2, 3),
        (6, 4, 5),
        (4, 7, 9),
        (4, 13, 18),
    ]
    for feature, output in zip(network.features, outputs):
        assert output.shape[1] == feature.channels
        assert tuple(output.shape[2:]) == tuple(-(-side // feature.stride) for side in (13, 18))


@pytest.mark.parametrize("unpooling", [True, False])
def test_weights_return(unpooling: bool, tmp_path: Path) -> None:
    saved = SegNet((3, 8, 8), SMALL, unpooling)
    state = {name.removeprefix("stages."): tensor for name, tensor in saved.state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    loaded = SegNet((3, 8, 8), SMALL, unpooling, str(tmp_path / "w.pt"))
    assert all(torch.equal(tensor, saved.state_dict()[name]) for name, tensor in loaded.state_dict().items())


def test_refuses() -> None:
    with pytest.raises(ConfigError, match=r"backbone\.unpooling must be true or false, found 'no'"):
        SegNet((3, 8, 8), SMALL, "no")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"backbone\.channels should be a list"):
        SegNet((3, 8, 8), [])
