from pathlib import Path

import pytest
import torch
from torch import nn

from mtlrun.backbones.norms import BatchNorm2d
from mtlrun.backbones.torchvision_parts import PadTo, first_layer, load_network, replace_norms
from mtlrun.errors import ConfigError


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=0.01, momentum=0.3))


def test_classifier_is_passed_over_and_old_names_are_translated(tmp_path: Path) -> None:
    saved, fresh = network(), network()
    state = {f"old.{name}": tensor for name, tensor in saved.state_dict().items()}
    torch.save({**state, "head.weight": torch.ones(3)}, tmp_path / "w.pth")
    load_network(fresh, str(tmp_path / "w.pth"), "head.", lambda name: name.removeprefix("old."))
    assert all(torch.equal(tensor, saved.state_dict()[name]) for name, tensor in fresh.state_dict().items())


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"head.weight": torch.ones(1)}, r"missing: 0\.weight, 1\.weight, 1\.bias and 2 more"),
        ({**network().state_dict(), "fc.weight": torch.ones(1)}, r"unexpected: fc\.weight"),
        ({**network().state_dict(), "0.weight": torch.ones(1)}, r"wrong shape: 0\.weight \(1,\) instead of"),
    ],
)
def test_what_does_not_fit_is_named(state: dict, message: str, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(ConfigError, match=message):
        load_network(network(), str(tmp_path / "w.pth"), "head.")


def test_absent_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "swin_t.pth").touch()
    with pytest.raises(ConfigError, match=r"no file '.*swim_t\.pth'; did you mean 'swin_t\.pth'"):
        load_network(network(), str(tmp_path / "swim_t.pth"), "head.")


@pytest.mark.parametrize(("channels", "kernel", "shape"), [(1, None, (8, 1, 4, 4)), (5, 3, (8, 5, 3, 3))])
def test_first_layer(channels: int, kernel: int | None, shape: tuple[int, ...]) -> None:
    old = nn.Conv2d(3, 8, 4, 4)
    fresh = first_layer(old, channels, kernel)
    assert tuple(fresh.weight.shape) == shape
    assert fresh.bias is not None
    assert fresh(torch.ones(1, channels, 12, 12)).shape[2:] == ((3, 3) if kernel is None else (12, 12))
    assert first_layer(old, 3) is old


def test_replaced_norms_keep_what_they_have_and_take_a_single_value() -> None:
    parts = network()
    learned = {name: torch.rand_like(value) for name, value in parts[1].state_dict().items() if value.dim()}
    parts[1].load_state_dict(learned, strict=False)
    replace_norms(parts, "batch")
    assert all(torch.equal(parts[1].state_dict()[name], value) for name, value in learned.items())
    assert type(parts[1]) is BatchNorm2d
    assert (parts[1].eps, parts[1].momentum) == (0.01, 0.3)
    assert parts.train()(torch.randn(1, 3, 3, 3)).isfinite().all()
    replace_norms(other := network(), "group")
    assert isinstance(other[1], nn.GroupNorm)
    with pytest.raises(ConfigError, match=r"no backbone\.norm of this network 'none'"):
        replace_norms(network(), "none")


@pytest.mark.parametrize(("size", "expected"), [((8, 12), (8, 12)), ((7, 9), (8, 12)), ((1, 1), (4, 4))])
def test_padding(size: tuple[int, int], expected: tuple[int, int]) -> None:
    padded = PadTo(4)(torch.ones(2, 3, *size))
    assert tuple(padded.shape[2:]) == expected
    assert padded.sum() == 2 * 3 * size[0] * size[1]
