from functools import partial

import pytest
import torch
from hydra.utils import instantiate as hydra_instantiate
from torch.nn.functional import mse_loss

from mtlrun.errors import ConfigError
from mtlrun.tasks.arguments import direct
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.objective import Objective
from mtlrun.types import Feature


def bowl(points, centre=0.0):
    return (points - centre).square().sum(-1) - 20


def make(**options):
    return Objective("first", **{"function": bowl, **options})


def test_the_loss_is_scaled_above_its_bound():
    points = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert make(scale=0.1, lower_bound=-21).losses(points, torch.zeros(2)).tolist() == pytest.approx([2.6, 0.1])


def test_bound_and_scale_change_the_length_of_the_gradient_only():
    point = torch.tensor([[3.0, 4.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(make(scale=0.5, lower_bound=-100).losses(point, torch.zeros(1)).sum(), point)
    assert gradient.tolist() == [[3, 4]]


def test_metrics_are_means_of_value_and_place():
    task = make(lower_bound=-21)
    metrics = task.make_metrics()
    task.update_metrics(metrics, torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.zeros(2))
    task.update_metrics(metrics, torch.tensor([[3.0, 2.0]]), torch.zeros(1))
    assert compute_metrics(metrics) == pytest.approx({"excess": (26 + 1 + 14) / 3, "value": -22 / 3, "x1": 2, "x2": 2})
    assert (task.judge, task.higher_is_better()) == ("excess", False)


def test_any_metric_can_judge():
    assert make(judge="value").higher_is_better() is False
    with pytest.raises(ConfigError, match="no metric of task 'first' to judge by 'x3'"):
        make(judge="x3")


def test_the_head_has_no_parameters_and_needs_the_point():
    head = make(coordinates=3).make_head([Feature("point", 3, None)], (1,))
    assert not [*head.parameters()]
    with pytest.raises(ConfigError, match="needs 3 units"):
        make(coordinates=3).make_head([Feature("point", 2, None)], (1,))


def test_a_function_may_have_options():
    task = make(function=partial(bowl, centre=1.0))
    assert task.values(torch.ones(2, 3, 2)).tolist() == [[-20] * 3] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0}, "scale of task 'first' must be above 0, found 0"),
        ({"scale": -1}, "scale of task 'first' must be at least 0, found -1"),
        ({"coordinates": 0}, "coordinates of task 'first' must be a whole number of at least 1"),
        ({"lower_bound": "low"}, "lower_bound of task 'first'"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ConfigError) as caught:
        make(**options)
    assert message in str(caught.value)


def test_refuses_a_function_that_gives_another_number_of_values():
    with pytest.raises(ConfigError, match=r"must return one value per point, shape \[4\], found \[\]"):
        make(function=torch.sum).losses(torch.zeros(4, 2), torch.zeros(4))


@pytest.mark.parametrize("words", [{}, {"reduction": "none"}])
def test_a_configured_loss_is_called_without_hydra_in_between(words):
    made = hydra_instantiate({"_target_": "torch.nn.functional.mse_loss", "_partial_": True, **words})
    plain = direct(made)
    assert plain is mse_loss or type(plain) is partial
    torch.testing.assert_close(plain(torch.ones(2), torch.zeros(2)), mse_loss(torch.ones(2), torch.zeros(2), **words))
    assert direct(plain) is plain
