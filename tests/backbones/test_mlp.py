import pytest
import torch
from torch import nn

from mtlrun.backbones.mlp import MLP
from mtlrun.errors import ConfigError


def test_equals_layers_written_out() -> None:
    network = MLP((6,), hidden=[5, 4], activation="tanh")
    inputs = torch.randn(3, 6)
    first = torch.tanh(network.stages["layer1"].linear(inputs))
    second = torch.tanh(network.stages["layer2"].linear(first))
    outputs = network(inputs)
    assert [*network.stages] == ["layer1", "layer2"]
    torch.testing.assert_close(outputs, [first, second])
    assert sum(parameter.numel() for parameter in network.parameters()) == 6 * 5 + 5 + 5 * 4 + 4


def test_flattens_images_under_the_same_names() -> None:
    images, vectors = MLP((2, 3, 3), hidden=[4]), MLP((18,), hidden=[4])
    vectors.load_state_dict(images.state_dict())
    inputs = torch.randn(5, 2, 3, 3)
    torch.testing.assert_close(images(inputs), vectors(inputs.flatten(1)))


@pytest.mark.parametrize(("norm", "kind"), [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm)])
def test_norm_stands_before_the_activation(norm: str, kind: type[nn.Module]) -> None:
    layers = [*MLP((6,), hidden=[5], norm=norm, dropout=0.5).stages["layer1"]]
    assert isinstance(layers[1], kind)
    assert [type(layer) for layer in layers[2:]] == [nn.ReLU, nn.Dropout]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"hidden": []},
            "backbone.hidden should be a list of positive whole numbers, found []; try backbone.hidden=",
        ),
        ({"hidden": 64}, "found 64"),
        ({"hidden": [64, 0]}, "found [64, 0]"),
        ({"hidden": [64, 1.5]}, "found [64, 1.5]"),
        ({"hidden": "abc"}, "found abc"),
        ({"activation": "rleu"}, "no backbone.activation 'rleu'; did you mean 'relu'?"),
        ({"norm": "group"}, "no backbone.norm 'group' (there are: batch, layer, none)"),
        ({"dropout": 1.0}, "backbone.dropout must be at least 0 and below 1, found 1.0"),
        ({"dropout": "half"}, "found 'half'"),
    ],
)
def test_refuses(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MLP((6,), **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
