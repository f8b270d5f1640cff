from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.lenet import LeNet
from mtlrun.backbones.mlp import MLP
from mtlrun.backbones.mobilenet import MobileNet
from mtlrun.backbones.resnet import ResNet
from mtlrun.errors import ConfigError

State = dict[str, Tensor]


def short_names(backbone: Backbone) -> State:
    return {name.removeprefix("stages."): tensor for name, tensor in backbone.state_dict().items()}


@pytest.mark.parametrize(
    "build",
    [
        lambda weights: MLP((7,), hidden=[4], norm="batch", weights=weights),
        lambda weights: LeNet((1, 16, 16), weights=weights),
        lambda weights: CNN((2, 16, 16), channels=[4, 4], weights=weights),
    ],
)
def test_every_backbone_loads_its_own_names(build: Callable[[str | None], Backbone], tmp_path: Path) -> None:
    saved = build(None)
    torch.save(short_names(saved), tmp_path / "weights.pt")
    fresh, loaded = build(None), build(str(tmp_path / "weights.pt"))
    assert not all(torch.equal(tensor, saved.state_dict()[name]) for name, tensor in fresh.state_dict().items())
    assert all(torch.equal(tensor, saved.state_dict()[name]) for name, tensor in loaded.state_dict().items())
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def build_cnn(weights: str | None = None) -> CNN:
    return CNN((2, 16, 16), channels=[4, 4], weights=weights)


def without(state: State, *names: str) -> State:
    return {name: tensor for name, tensor in state.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: without(state, "block1.norm1.bias"), "(missing: block1.norm1.bias)"),
        (lambda state: {**state, "block3.weight": torch.ones(1)}, "(unexpected: block3.weight)"),
        (
            lambda state: {**state, "block1.norm1.bias": torch.ones(3)},
            "block1.norm1.bias (3,) instead of (4,))",
        ),
        (
            lambda state: {f"module.{name}": state[name] for name in state},
            "unexpected: module.block1.conv1.weight",
        ),
        (lambda state: {"fc.weight": torch.ones(1)}, "block1.norm1.weight, block1.norm1.bias and 17 more)"),
        (lambda state: {"state_dict": state}, "is no dictionary of tensors: save it with torch.save("),
        (lambda state: [1, 2], "is no dictionary of tensors"),
        (lambda state: build_cnn(), "is damaged or holds more than tensors: save it with torch.save("),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(
    change: Callable[[State], object], message: str, tmp_path: Path
) -> None:
    torch.save(change(short_names(build_cnn())), tmp_path / "weights.pt")
    with pytest.raises(ConfigError) as caught:
        build_cnn(str(tmp_path / "weights.pt"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_small_input_is_named_as_a_reason(tmp_path: Path) -> None:
    torch.save(models.resnet18().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match=r"wrong shape: conv1.weight \(64, 3, 7, 7\) instead of .*small_input"):
        ResNet((3, 32, 32), weights=str(tmp_path / "weights.pth"))
    ResNet((3, 32, 32), small_input=False, weights=str(tmp_path / "weights.pth"))


def test_old_files_without_batch_counters_and_classifier_load(tmp_path: Path) -> None:
    state = models.resnet18().state_dict()
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked") and not k.startswith("fc.")}
    torch.save(old, tmp_path / "weights.pth")
    loaded = ResNet((3, 64, 64), weights=str(tmp_path / "weights.pth"))
    assert torch.equal(loaded.stages["layer4"][1].bn2.weight, old["layer4.1.bn2.weight"])


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x80\x02}q\x00.", b"PK\x03\x04 broken", bytes(range(256))])
def test_damaged_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"^backbone\.weights: .*weights\.pt' (is|does not fit)"):
        MLP((3,), weights=str(tmp_path / "weights.pt"))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_files_cut_off(share: float, tmp_path: Path) -> None:
    torch.save(short_names(MLP((3,))), tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    (tmp_path / "part.pt").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ConfigError, match="is damaged or holds more than tensors"):
        MLP((3,), weights=str(tmp_path / "part.pt"))


def test_absent_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "resnet18.pth").touch()
    with pytest.raises(ConfigError, match=r"no file '.*resnt18\.pth'; did you mean 'resnet18\.pth'\?$"):
        MLP((3,), weights=str(tmp_path / "resnt18.pth"))
    with pytest.raises(ConfigError, match=r"no file '.*x\.pth'$"):
        MLP((3,), weights=str(tmp_path / "nowhere" / "x.pth"))


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"^backbone\.weights: '{tmp_path}' is a folder: give a file in it$"):
        MLP((3,), weights=str(tmp_path))


@pytest.mark.parametrize(
    "build", [lambda weights: MLP((3,), weights=weights), lambda weights: MobileNet((3, 32, 32), weights=weights)]
)
def test_numbers_are_no_paths(build: Callable[[object], Backbone]) -> None:
    with pytest.raises(ConfigError, match=r"^backbone\.weights should be a path, found 5; try backbone\.weights=\./5$"):
        build(5)


def test_loading_runs_no_code(tmp_path: Path) -> None:
    class Trap(nn.Module):
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"layer1.linear.weight": Trap()}, tmp_path / "weights.pt")
    with pytest.raises(ConfigError, match="holds more than tensors"):
        MLP((3,), weights=str(tmp_path / "weights.pt"))
    assert not (tmp_path / "sprung").exists()
