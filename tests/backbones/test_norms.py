import pytest
import torch
from torch import nn

from mtlrun.backbones.norms import BatchNorm1d, BatchNorm2d, group_norm

PAIRS = [(BatchNorm1d, nn.BatchNorm1d, ()), (BatchNorm2d, nn.BatchNorm2d, (1, 1))]


@pytest.mark.parametrize(("ours", "usual", "map_shape"), PAIRS)
def test_lone_value_uses_running_statistics(ours: type, usual: type, map_shape: tuple[int, ...]) -> None:
    layer = ours(3)
    layer(torch.randn(8, 3, *map_shape))
    mean = layer.running_mean.clone()
    row = torch.randn(1, 3, *map_shape, requires_grad=True)
    with pytest.raises(ValueError, match="more than 1 value"):
        usual(3)(row)
    output = layer(row)
    assert torch.equal(layer.running_mean, mean)
    torch.testing.assert_close(output, layer.eval()(row))
    output.sum().backward()
    assert row.grad is not None


@pytest.mark.parametrize(("ours", "usual", "map_shape"), PAIRS)
@pytest.mark.parametrize("train", [True, False])
def test_otherwise_equals_pytorch(ours: type, usual: type, map_shape: tuple[int, ...], train: bool) -> None:
    values = torch.randn(8, 3, *map_shape)
    one, other = ours(3).train(train), usual(3).train(train)
    torch.testing.assert_close(one(values), other(values))
    torch.testing.assert_close(one.state_dict(), other.state_dict())


def test_groups_of_one_value_are_normalised() -> None:
    layer = group_norm(16)
    nn.init.normal_(layer.bias)
    output = layer(torch.randn(1, 16, 1, 1))
    torch.testing.assert_close(output, layer.bias[None, :, None, None], rtol=0, atol=1e-3)
    values = torch.randn(2, 48, 3, 3)
    # the same layers on the same rows: the same bits
    assert torch.equal(group_norm(48)(values), nn.GroupNorm(16, 48)(values))
