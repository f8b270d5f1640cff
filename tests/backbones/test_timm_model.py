import sys
from pathlib import Path

import pytest
import torch

from mtlrun.backbones.timm_model import TimmModel
from mtlrun.errors import ConfigError


def test_absence_of_the_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"^backbone=timm needs the package timm: pip install 'mtlrun\[timm\]'$"):
        TimmModel((3, 32, 32))


def test_a_chain_of_layers_is_cut_at_its_feature_maps() -> None:
    timm = pytest.importorskip("timm")
    backbone = TimmModel((1, 64, 64), "convnext_atto").eval()
    theirs = timm.create_model("convnext_atto", features_only=True, in_chans=1).eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), backbone.stages.state_dict().values(), strict=True)))
    inputs = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        outputs, expected = backbone(inputs), theirs(inputs)
    assert [feature.name for feature in backbone.features] == ["stage1", "stage2", "stage3", "stage4"]
    for feature, output, other in zip(backbone.features, outputs, expected):
        assert torch.equal(output, other)  # the same layers on the same rows: the same bits
        assert (output.shape[1], 64 // output.shape[2]) == (feature.channels, feature.stride)


@pytest.mark.parametrize(
    ("model", "options"), [("mobilenetv3_small_050", {}), ("vit_tiny_patch16_224", {"img_size": 64})]
)
def test_any_other_network_is_one_stage(model: str, options: dict) -> None:
    pytest.importorskip("timm")
    backbone = TimmModel((3, 64, 64), model, options).eval()
    [output] = backbone(torch.randn(2, 3, 64, 64))
    [feature] = backbone.features
    assert feature.name == "network"
    assert (output.shape[1], 64 // output.shape[2]) == (feature.channels, feature.stride)


def test_weights(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    saved = timm.create_model("resnet10t")
    for name, value in saved.state_dict().items():
        if "bn" in name and value.dim():
            value.uniform_(0.5, 1.5)
    torch.save(saved.state_dict(), tmp_path / "w.pth")
    backbone = TimmModel((3, 32, 32), "resnet10t", weights=str(tmp_path / "w.pth"))
    assert backbone.training
    inputs = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        # the same layers on the same rows: the same bits
        assert torch.equal(backbone.eval()(inputs)[-1], saved.eval().forward_features(inputs))
    with pytest.raises(ConfigError, match=r"backbone\.weights: no file '.*v\.pth'; did you mean 'w\.pth'"):
        TimmModel((3, 32, 32), "resnet10t", weights=str(tmp_path / "v.pth"))


@pytest.mark.parametrize(
    ("model", "options"),
    [("test_vit", {"img_size": 64}), ("test_convnext", {}), ("test_efficientnet", {}), ("test_mambaout", {})],
)
def test_weights_of_every_kind_of_network_fit_itself(model: str, options: dict, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.save(timm.create_model(model, **options).state_dict(), tmp_path / "w.pth")
    TimmModel((3, 64, 64), model, options, weights=str(tmp_path / "w.pth"))


@pytest.mark.parametrize(
    ("leave_out", "message"),
    [("", r"missing: conv1\.0\.weight, "), ("layer4.0.bn2.bias", r"missing: layer4\.0\.bn2\.bias\)")],
)
def test_weights_that_lack_something(leave_out: str, message: str, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    state = timm.create_model("test_resnet").state_dict()
    kept = {name: value for name, value in state.items() if not name.startswith(leave_out)}
    torch.save(kept, tmp_path / "w.pth")
    with pytest.raises(ConfigError, match=rf"^backbone\.weights: '.*w\.pth' does not fit .*{message}"):
        TimmModel((3, 32, 32), "test_resnet", weights=str(tmp_path / "w.pth"))


def test_maps_whose_channels_are_last_are_turned() -> None:
    timm = pytest.importorskip("timm")
    backbone = TimmModel((3, 64, 64), "test_mambaout").eval()
    theirs = timm.create_model("test_mambaout", features_only=True).eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), backbone.state_dict().values(), strict=True)))
    inputs = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        [output], expected = backbone(inputs), theirs(inputs)[-1]
    assert torch.equal(output, expected.permute(0, 3, 1, 2))  # the same layers on the same rows: the same bits
    assert [(feature.name, feature.channels) for feature in backbone.features] == [("network", output.shape[1])]


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("resnet81", {}, r"timm has no network 'resnet81'; did you mean 'resnet18'\? \(there are: resnet18, "),
        ("resnet18", {"colour": 3}, r"backbone\.model=resnet18: .*colour"),
        ("test_vit", {}, r"test_vit does not take images of 32x33 pixels: .*options=\{img_size:\[32,33\]\}$"),
    ],
)
def test_refuses(model: str, options: dict, message: str) -> None:
    pytest.importorskip("timm")
    with pytest.raises(ConfigError, match=message) as caught:
        TimmModel((3, 32, 33), model, options)
    assert "\n" not in str(caught.value)
