import pytest
import torch
from torch.nn import functional

from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.lenet import LeNet
from mtlrun.errors import ConfigError
from mtlrun.sharing.mtan import MTAN

TASKS = ["lane", "sign"]
ALL = dict.fromkeys(TASKS)


def build_cnn() -> CNN:
    return CNN((3, 8, 8), channels=[4, 6])


def test_equals_the_paper_written_out() -> None:
    scheme = MTAN(build_cnn, TASKS)
    inputs = torch.randn(5, 3, 8, 8)
    outputs = scheme(inputs, ALL)["sign"]
    own = scheme.attention["task_sign"]
    first = scheme.stages["block1"](inputs)
    second = scheme.stages["block2"](first)
    attended = own.masks["block1"](first) * first
    carried = functional.conv2d(attended, scheme.transfers["block2"].weight, padding=1)
    carried = functional.max_pool2d(functional.relu(own.norms["block2"](carried)), 2)
    torch.testing.assert_close(outputs[0], attended)
    torch.testing.assert_close(outputs[1], own.masks["block2"](torch.cat([second, carried], 1)) * second)


def test_a_mask_is_two_linear_layers_and_a_sigmoid() -> None:
    scheme = MTAN(build_cnn, TASKS, reduction=2).eval()
    mask = scheme.attention["task_lane"].masks["block2"]
    assert [tuple(layer.weight.shape) for layer in (mask.g, mask.h)] == [(3, 12, 1, 1), (6, 3, 1, 1)]
    values = mask(torch.randn(5, 12, 3, 3))
    assert ((values > 0) & (values < 1)).all()


def test_tasks_share_stages_and_transfers_only() -> None:
    scheme = MTAN(build_cnn, TASKS)
    assert scheme.shared_parameters() == [*scheme.stages.parameters(), *scheme.transfers.parameters()]


def test_stages_run_once_on_all_rows() -> None:
    scheme, seen = MTAN(build_cnn, TASKS), []
    scheme.stages["block2"].register_forward_hook(lambda _, inputs, output: seen.append(len(output)))
    scheme(torch.randn(5, 3, 8, 8), {"lane": torch.tensor([0]), "sign": torch.tensor([1, 2])})
    assert seen == [5]


def test_maps_of_odd_sizes_and_vectors_after_maps() -> None:
    """LeNet's maps shrink from 10 to 3 pixels and then become a vector."""
    scheme = MTAN(lambda: LeNet((1, 24, 24)), TASKS)
    outputs = scheme(torch.randn(5, 1, 24, 24), ALL)["lane"]
    assert [tuple(output.shape[1:]) for output in outputs] == [(10, 10, 10), (20, 3, 3), (50,)]


def test_maps_that_grow_are_interpolated() -> None:
    """SegNet's decoder doubles its maps; from 1 to 3 pixels aligned at their corners, the middle is the mean."""
    attention = MTAN(build_cnn, TASKS).attention["task_lane"].eval()
    values = torch.rand(2, 6, 2, 2)
    grown = attention.hand_on("block2", values, torch.empty(2, 6, 3, 3))
    normed = functional.relu(attention.norms["block2"](values))
    torch.testing.assert_close(grown[:, :, ::2, ::2], normed)
    torch.testing.assert_close(grown[:, :, 1, 1], normed.mean((2, 3)))


def test_bad_reduction() -> None:
    with pytest.raises(ConfigError) as caught:
        MTAN(build_cnn, TASKS, reduction=0.5)
    assert str(caught.value) == "sharing.reduction must be a whole number of at least 1, found 0.5"
