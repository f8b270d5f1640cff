from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models.vision_transformer import VisionTransformer

from mtlrun.backbones import vit
from mtlrun.backbones.vit import ViT
from mtlrun.errors import ConfigError


def narrow(patch: int, dropout: float) -> VisionTransformer:
    return VisionTransformer(14 * patch, patch, 8, 2, 16, 32, dropout=dropout, num_classes=5)


@pytest.fixture(autouse=True)
def narrow_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vit, "build", narrow)


def without_class_token(theirs: VisionTransformer, inputs: Tensor) -> Tensor:
    tokens = theirs.conv_proj(inputs).flatten(2).transpose(1, 2) + theirs.encoder.pos_embedding[:, 1:]
    return theirs.encoder.ln(theirs.encoder.layers(tokens))


@pytest.mark.parametrize("old_names", [False, True])
def test_equals_torchvision_but_for_the_class_token(old_names: bool, tmp_path: Path) -> None:
    theirs = narrow(4, 0.0).eval()
    state = theirs.state_dict()
    if old_names:
        state = {n.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2."): state[n] for n in state}
    torch.save(state, tmp_path / "w.pth")
    ours = ViT((3, 56, 56), patch=4, weights=str(tmp_path / "w.pth")).eval()
    inputs = torch.randn(2, 3, 56, 56)
    with torch.no_grad():
        outputs = ours(inputs)
        expected = without_class_token(theirs, inputs)
    torch.testing.assert_close(outputs[-1].flatten(2).transpose(1, 2), expected)
    assert [tuple(output.shape) for output in outputs] == [(2, 16, 14, 14)] * 5


def test_positions_of_another_grid_are_interpolated(tmp_path: Path) -> None:
    theirs = narrow(4, 0.0)
    with torch.no_grad():
        rows = torch.arange(14.0).repeat_interleave(14)
        theirs.encoder.pos_embedding[0, 1:] = rows[:, None]
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    positions = ViT((3, 26, 50), patch=4, weights=str(tmp_path / "w.pth")).stages["stem"].positions
    assert positions.shape == (1, 16, 7, 13)
    down = positions[0, 0, :, 0]
    assert (down[0].item(), down[-1].item()) == pytest.approx((0, 13), abs=0.2)
    assert (down.diff() > 0).all()
    torch.testing.assert_close(positions[0, 0, :, 5], down)


@pytest.mark.parametrize("patch", [4, 16])
def test_features(patch: int) -> None:
    backbone = ViT((1, 33, 40), patch=patch)
    outputs = backbone(torch.randn(2, 1, 33, 40))
    assert [feature.name for feature in backbone.features] == ["stem", "blocks1", "blocks2", "blocks3", "blocks4"]
    assert {(feature.channels, feature.stride) for feature in backbone.features} == {(16, patch)}
    assert {tuple(output.shape[2:]) for output in outputs} == {(-(-33 // patch), -(-40 // patch))}
    assert backbone.fixed_size


def test_refuses() -> None:
    with pytest.raises(ConfigError, match=r"backbone\.patch must be a whole number of at least 1, found 0"):
        ViT((3, 32, 32), patch=0)
    with pytest.raises(ConfigError, match=r"backbone\.dropout must be"):
        ViT((3, 32, 32), dropout=2.0)
