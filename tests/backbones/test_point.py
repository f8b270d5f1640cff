import math

import pytest
import torch

from mtlrun.backbones.point import Point
from mtlrun.errors import ConfigError


def test_every_row_is_the_point_whatever_the_input():
    backbone = Point((7,), start=[9, -1.5, 0])
    (outputs,) = backbone(torch.randn(4, 7))
    assert outputs.tolist() == [[9, -1.5, 0]] * 4
    assert backbone.features[0].channels == 3
    assert [parameter.numel() for parameter in backbone.parameters()] == [3]


def test_the_gradient_is_the_sum_over_the_rows():
    backbone = Point((1,), start=[1.0, 2.0])
    backbone(torch.zeros(3, 1))[0].square().sum().backward()
    assert backbone.stages["point"].values.grad.tolist() == [6, 12]


@pytest.mark.parametrize("start", [[], 3, "9,9", ["a", 1], [math.nan, 1], [math.inf]])
def test_refuses_what_is_no_list_of_numbers(start):
    with pytest.raises(
        ConfigError, match=r"backbone.start should be a list of finite numbers, found .*; try backbone.start="
    ):
        Point((1,), start=start)
