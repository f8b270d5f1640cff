"""The toy problem's functions against numbers worked out by hand, and its landmarks."""

import inspect
from math import log, tanh
from pathlib import Path

import pytest
import torch
import yaml

from mtlrun.data.sets import toy
from mtlrun.errors import ConfigError

CONF = Path(__file__).parents[3] / "conf"


def by_hand(x1, x2):
    """Both losses with plain numbers."""
    above, below = max(tanh(0.5 * x2), 0), max(tanh(-0.5 * x2), 0)
    valleys = [abs(0.5 * (-x1 - 7) - tanh(-x2)), abs(0.5 * (-x1 + 3) + tanh(-x2) + 2)]
    bowls = [((-x1 + sign * 7) ** 2 + 0.1 * (-x2 - 8) ** 2) / 10 - 20 for sign in (1, -1)]
    return [above * (log(max(v, 5e-6)) + 6) + below * bowl for v, bowl in zip(valleys, bowls)]


@pytest.mark.parametrize("point", [(-8.5, 7.5), (-8.5, -5.0), (9.0, 9.0), (0.0, 0.0), (-7.5, -0.5), (9.0, -1.0)])
def test_values_at_the_papers_starts(point):
    points = torch.tensor([point], dtype=torch.float64)
    values = [toy.first(points).item(), toy.second(points).item()]
    assert values == pytest.approx(by_hand(*point), rel=1e-12, abs=1e-12)


def as_printed(points):
    """Both losses in the papers' form, which tensors differentiate."""
    x1, x2 = points.unbind(-1)
    above, below = (torch.where(side >= 0, side, 0) for side in (torch.tanh(0.5 * x2), torch.tanh(-0.5 * x2)))
    valleys = ((0.5 * (-x1 - 7) - torch.tanh(-x2)).abs(), (0.5 * (-x1 + 3) + torch.tanh(-x2) + 2).abs())
    bowls = [((-x1 + sign * 7) ** 2 + 0.1 * (-x2 - 8) ** 2) / 10 - 20 for sign in (1, -1)]
    return [above * (valley.clamp(min=5e-6).log() + 6) + below * bowl for valley, bowl in zip(valleys, bowls)]


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("side", ["both", "above", "below"])
def test_signs_that_are_left_out_change_neither_values_nor_gradients(place, side):
    line = torch.linspace(-10, 10, 41, dtype=torch.float64)
    rows = {"both": line, "above": line[line > 0], "below": line[line < 0]}[side]
    points = torch.cartesian_prod(line, rows).requires_grad_()
    ours, printed = (toy.first, toy.second)[place](points), as_printed(points)[place]
    torch.testing.assert_close(ours, printed, rtol=1e-6, atol=1e-6)
    (one,), (other,) = (torch.autograd.grad(values.sum(), points) for values in (ours, printed))
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_what_is_no_number_stays_none():
    points = torch.tensor([[torch.nan, 1.0], [1.0, torch.nan], [torch.inf, -1.0], [0.0, 1.0]], requires_grad=True)
    for function in (toy.first, toy.second):
        values = function(points)
        (slopes,) = torch.autograd.grad(values.sum(), points)
        assert values.isfinite().tolist() == slopes.isfinite().all(1).tolist() == [False, False, False, True]


def test_a_second_derivative_is_refused():
    point = torch.tensor([1.0, 2.0], requires_grad=True)
    (slope,) = torch.autograd.grad(toy.first(point) ** 2, point, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_the_middle_of_the_pareto_set():
    point = torch.tensor([0.0, -8.3552], dtype=torch.float64, requires_grad=True)
    values = torch.stack([toy.first(point), toy.second(point)])
    one, other = (torch.autograd.grad(value, point, retain_graph=True)[0] for value in values)
    assert values.tolist() == pytest.approx([-15.09, -15.09], abs=0.005)
    assert torch.cosine_similarity(one, other, dim=0).item() == pytest.approx(-1, abs=1e-6)


def test_the_origin_can_be_left():
    """Both branches end on the line x2 = 0; a gradient of zero there would hold every method."""
    point = torch.zeros(2, requires_grad=True)
    for function in (toy.first, toy.second):
        (gradient,) = torch.autograd.grad(function(point), point)
        assert gradient[1] > 1


def test_yaml_states_every_option_with_its_default():
    stated = yaml.safe_load((CONF / "data" / "toy.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.toy.load"
    assert stated == {name: p.default for name, p in inspect.signature(toy.load).parameters.items()}


def test_rows_say_nothing():
    splits = toy.load(rows=7)
    (train,) = splits.train
    inputs, targets = train.fetch(torch.arange(7))
    assert inputs.tolist() == [[0]] * 7
    assert {name: values.tolist() for name, values in targets.items()} == dict.fromkeys(toy.TASKS, [0] * 7)
    with pytest.raises(ConfigError, match=r"data.rows should be a whole number from 1 to 10000000, found 0"):
        toy.load(rows=0)
