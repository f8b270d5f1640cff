import pytest
import torch
from torch import nn

from mtlrun.backbones.projected_resnet import ProjectedResNet
from mtlrun.backbones.resnet import ResNet
from mtlrun.errors import ConfigError


def test_is_resnet_and_a_projection_of_its_mean() -> None:
    torch.manual_seed(0)
    plain = ResNet((3, 32, 32))
    torch.manual_seed(0)
    backbone = ProjectedResNet((3, 32, 32), width=7).eval()
    images = torch.randn(2, 3, 32, 32)
    *maps, vectors = backbone(images)
    torch.testing.assert_close(maps, plain.eval()(images))
    linear = backbone.stages["projection"].linear
    # fresh running statistics are 0 and 1
    expected = nn.functional.linear(maps[-1].mean((2, 3)), linear.weight, linear.bias).clamp(min=0)
    torch.testing.assert_close(vectors, expected, rtol=1e-4, atol=1e-5)
    assert linear.weight.std().item() == pytest.approx(0.005, rel=0.1)
    assert (linear.bias == 0.1).all()


def test_weights_are_those_of_the_residual_network(tmp_path) -> None:
    source = ResNet((3, 32, 32), small_input=False)
    state = {name.removeprefix("stages.").removeprefix("stem."): value for name, value in source.state_dict().items()}
    torch.save({**state, "fc.weight": torch.ones(2)}, tmp_path / "resnet18.pt")
    backbone = ProjectedResNet((3, 32, 32), small_input=False, weights=str(tmp_path / "resnet18.pt"))
    for name, value in source.state_dict().items():
        assert torch.equal(backbone.state_dict()[name], value)


@pytest.mark.parametrize(("options", "word"), [({"width": 0}, "width"), ({"dropout": 1.0}, "dropout")])
def test_bad_options(options: dict, word: str) -> None:
    with pytest.raises(ConfigError, match=f"backbone.{word} must be"):
        ProjectedResNet((3, 32, 32), **options)
