import torch
from torch.nn.functional import batch_norm, max_pool2d

from mtlrun.backbones.celeba_cnn import CelebACNN


def test_has_the_parameters_of_the_papers_code() -> None:
    with torch.device("meta"):
        network = CelebACNN((3, 64, 64))
        shapes = [tuple(stage.shape) for stage in network(torch.randn(2, 3, 64, 64))]
    shared = sum(parameter.numel() for parameter in network.parameters())
    assert (shared, shared + 40 * 513) == (5_176_640, 5_197_160)
    sides = [shape[2] for shape in shapes[:7]]
    assert sides == [32, 32, 16, 16, 8, 8, 8]
    assert [shape[1] for shape in shapes] == [64, 128, 128, 256, 256, 512, 512, 512, 512]


def test_equals_layers_written_out() -> None:
    torch.manual_seed(0)
    network, values = CelebACNN((3, 8, 8)), torch.randn(3, 3, 8, 8)
    outputs = network(values)
    for index in range(1, 8):
        layer = network.stages[f"conv{index}"][0]
        values = batch_norm(torch.conv2d(values, layer.weight, padding=1), None, None, training=True).relu()
        values = max_pool2d(values, 2) if index in (1, 3, 5) else values
    values = values.mean((2, 3))
    for stage, position in (("fc1", 2), ("fc2", 0)):
        values = batch_norm(values @ network.stages[stage][position].weight.T, None, None, training=True).relu()
    torch.testing.assert_close(outputs[-1], values, rtol=1e-3, atol=1e-4)
