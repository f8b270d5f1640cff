import pytest
import torch
from torch import nn
from torch.nn import functional

from mtlrun.backbones.lenet import LeNet
from mtlrun.errors import ConfigError


@pytest.mark.parametrize(
    ("shape", "flattened"), [((1, 28, 28), 320), ((1, 36, 36), 720), ((3, 16, 20), 40), ((2, 17, 16), 20)]
)
def test_sizes(shape: tuple[int, int, int], flattened: int) -> None:
    network = LeNet(shape)
    assert network.fixed_size
    assert network.stages["fc"].linear.in_features == flattened
    assert network(torch.randn(2, *shape))[-1].shape == (2, 50)


def test_has_the_parameters_of_the_paper() -> None:
    assert sum(parameter.numel() for parameter in LeNet((1, 28, 28)).parameters()) == 21_330


def test_equals_layers_written_out() -> None:
    network = LeNet((1, 28, 28))
    conv1, conv2 = network.stages["conv1"].conv, network.stages["conv2"].conv
    inputs = torch.randn(3, 1, 28, 28)
    first = functional.relu(functional.max_pool2d(conv1(inputs), 2))
    second = functional.relu(functional.max_pool2d(conv2(first), 2))
    third = functional.relu(network.stages["fc"].linear(second.flatten(1)))
    torch.testing.assert_close(network(inputs), [first, second, third])


def test_dropout_drops_whole_channels_in_training_only() -> None:
    network = LeNet((1, 28, 28), dropout=0.5)
    assert network.state_dict().keys() == LeNet((1, 28, 28)).state_dict().keys()
    dense = LeNet((1, 28, 28))
    dense.load_state_dict(network.state_dict())
    torch.manual_seed(0)
    inputs = torch.randn(4, 1, 28, 28)
    dropped, kept = network(inputs)[1], dense(inputs)[1]
    zero = dropped.flatten(2).eq(0).all(2) & kept.flatten(2).ne(0).any(2)
    assert 0 < zero.float().mean() < 1
    torch.testing.assert_close(dropped[~zero], 2 * kept[~zero])
    torch.testing.assert_close(network.eval()(inputs), dense(inputs))
    assert not any(isinstance(module, nn.Dropout2d) for module in dense.modules())


@pytest.mark.parametrize("shape", [(1, 15, 28), (1, 8, 8)])
def test_refuses_small_images(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match=r"at least 16x16 pixels, found \d+x\d+: choose backbone=cnn"):
        LeNet(shape)


def test_refuses_dropout() -> None:
    with pytest.raises(ConfigError, match=r"backbone\.dropout must be at least 0 and below 1, found -0\.1"):
        LeNet((1, 28, 28), dropout=-0.1)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [({"kernel": 9}, 30_890), ({"kernel": 9, "channels": [5, 10], "norm": "batch"}, 14_730)],
)
def test_lenets_of_36_pixels_have_the_papers_sizes(options: dict, parameters: int) -> None:
    network = LeNet((1, 36, 36), **options)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert network.stages["fc"].linear.in_features in (500, 250)


def test_normalisation_follows_each_convolution() -> None:
    network, inputs = LeNet((1, 36, 36), kernel=9, channels=[5, 10], norm="batch"), torch.randn(4, 1, 36, 36)
    conv1, conv2 = network.stages["conv1"].conv, network.stages["conv2"].conv
    first = functional.relu(functional.max_pool2d(conv1(inputs), 2))
    first = functional.batch_norm(first, None, None, training=True)
    second = functional.relu(functional.max_pool2d(conv2(first), 2)).flatten(1)
    third = network.stages["fc"].linear(functional.batch_norm(second, None, None, training=True)).relu()
    torch.testing.assert_close(network(inputs)[-1], third, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": [5]}, "two convolutions, give two numbers"),
        ({"norm": "layer"}, r"no backbone\.norm 'layer'"),
        ({"kernel": 24}, "at least 35x35 pixels, found 28x28"),
    ],
)
def test_wrong_options_are_told(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LeNet((1, 28, 28), **options)
